//! What the compiler has inlined into a function: `runtime.inlinedCall`.

use super::{
    super::{elf::Elf, region::Region},
    function::{Function, name},
    header::{Header, Version},
    module::Module,
};

/// Words of the run time's data that may say where all of it is: by version the 39th, the 41st or
/// the 44th.
const BASES: [usize; 3] = [40, 43, 38];

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
        // Go 1.16 has addresses.
        let fixed = (header.version == Version::Go116).then_some(0);
        let words = BASES.iter().filter_map(|word| Some(module?.word(*word)));
        let text = module.map_or(header.text, Module::text);
        let mut bases = words.chain(fixed).map(|base| Self { base });
        bases.find(|base| base.is_right(elf, header, text))
    }

    fn is_right(self, elf: &Elf, header: &Header, text: u64) -> bool {
        let step = header.count.div_ceil(LOOKED_AT).max(1);
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        let functions = (0..header.count).step_by(step);
        let functions = functions.filter_map(|index| Function::numbered(elf, header, text, index));
        let told = functions.filter(|function| function.inlined_data().is_some());
        let mut right = told.take(RIGHT).map(|function| {
            let first = self.call(elf, header, &function, 0);
            first.is_some()
        });
        right.next() == Some(true) && right.all(|right| right)
    }

    /// One of the functions that were inlined into `function`.
    pub(super) fn call(
        self,
        elf: &Elf,
        header: &Header,
        function: &Function<'_>,
        index: u32,
    ) -> Option<Call> {
        let short = header.version == Version::Go120;
        let (size, name_at) = if short { (16, 4) } else { (20, 12) };
        let data = self.base.checked_add(function.inlined_data()?)?;
        let place = data.checked_add(u64::from(index) * size)?;
        let region = Region::loaded(elf, place)?;
        let zeros = if short { region.word(elf, 0)? >> 8 } else { 0 };
        let caller = u64::from(region.word(elf, name_at + 4)?);
        let inside = caller < function.end - function.start;
        Some(Call {
            name: name(elf, header.names, region.word(elf, name_at)?)?,
            caller: (inside && zeros == 0).then_some(caller)?,
        })
    }
}
