//! What the compiler has inlined into a function: `runtime.inlinedCall`.

use super::{
    super::{elf::Elf, region::Region},
    function::{Function, name},
    header::{Header, Version},
    module::Module,
};

/// Words of the run time's data that may say where all of it is: until Go 1.26, and from 1.27 on.
const BASES: &[usize] = &[40, 43];

/// The same where the table is of Go 1.18.
const BASES_118: &[usize] = &[38];

/// Most functions that are looked at to tell whether a word is the one.
const LOOKED_AT: u64 = 4096;

/// So many of them have to be right, where there are as many.
const RIGHT: usize = 16;

/// Where it is told what was inlined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inlined {
    base: u64,
}

/// A function that was inlined.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// A place that is where it was called, from the beginning of the function around it.
    pub(super) caller: u64,
}

impl Inlined {
    /// What the run time's data says, proved by what stands there.
    pub(super) fn find(elf: &Elf, header: &Header, module: Option<&Module>) -> Option<Self> {
        let words = match header.version {
            // Here each function has an address.
            Version::Go116 => return Self { base: 0 }.proved(elf, header, 0),
            Version::Go118 => BASES_118,
            Version::Go120 => BASES,
        };
        let module = module?;
        let bases = words.iter().map(|word| module.word(*word));
        let mut bases = bases.filter(|base| *base > 0);
        bases.find_map(|base| Self { base }.proved(elf, header, module.text()))
    }

    /// Whether it is right for the first functions that something was inlined into.
    fn proved(self, elf: &Elf, header: &Header, text: u64) -> Option<Self> {
        let step = usize::try_from(header.count.div_ceil(LOOKED_AT)).ok()?;
        let functions = (0..header.count).step_by(step.max(1));
        let functions = functions.filter_map(|index| Function::numbered(elf, header, text, index));
        let told = functions.filter(|function| function.inlined_data().is_some());
        let mut right = told
            .take(RIGHT)
            .map(|function| self.call(elf, header, &function, 0).is_some());
        (right.next() == Some(true) && right.all(|right| right)).then_some(self)
    }

    /// One of the functions that were inlined into `function`.
    pub(super) fn call(
        self,
        elf: &Elf,
        header: &Header,
        function: &Function<'_>,
        index: u32,
    ) -> Option<Call> {
        let data = self.base.checked_add(function.inlined_data()?)?;
        let layout = Layout::of(header.version);
        let place = data.checked_add(u64::from(index) * layout.size)?;
        let region = Region::loaded(elf, place)?;
        let caller = u64::from(region.word(elf, layout.caller)?);
        let line = region.word(elf, layout.line)?;
        let is_one = caller < function.end - function.start && line > 0;
        is_one.then_some(Call {
            name: name(elf, header.names, region.word(elf, layout.name)?)?,
            caller,
        })
    }
}

/// Where the parts of an entry are. From Go 1.20 on the line is the first of the function, before
/// that where it was called.
struct Layout {
    size: u64,
    name: u64,
    caller: u64,
    line: u64,
}

impl Layout {
    fn of(version: Version) -> Self {
        let (size, name, caller, line) = match version {
            Version::Go120 => (16, 4, 8, 12),
            Version::Go116 | Version::Go118 => (20, 12, 16, 8),
        };
        Self {
            size,
            name,
            caller,
            line,
        }
    }
}
