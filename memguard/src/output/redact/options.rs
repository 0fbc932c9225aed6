//! Options whose meaning depends on the program.

use super::word::{hidden_user, is_number, redact_word};

/// The programs of a command line that make a difference, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Programs {
    last: Option<Program>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// `-u user:password`.
    Http,
    /// `-u user:group`.
    SwitchesUser,
    /// `-ppassword`, in one word.
    Mysql,
    /// `-p password`, or in one word.
    Sshpass,
    /// `-a password`.
    Redis,
}

/// Base names of programs.
const PROGRAMS: [(&str, Program); 26] = [
    ("curl", Program::Http),
    ("wget", Program::Http),
    ("http", Program::Http),
    ("https", Program::Http),
    ("docker", Program::SwitchesUser),
    ("podman", Program::SwitchesUser),
    ("nerdctl", Program::SwitchesUser),
    ("crictl", Program::SwitchesUser),
    ("kubectl", Program::SwitchesUser),
    ("sudo", Program::SwitchesUser),
    ("doas", Program::SwitchesUser),
    ("chpst", Program::SwitchesUser),
    ("chroot", Program::SwitchesUser),
    ("setpriv", Program::SwitchesUser),
    ("systemd-run", Program::SwitchesUser),
    ("unshare", Program::SwitchesUser),
    ("mysql", Program::Mysql),
    ("mysqladmin", Program::Mysql),
    ("mysqldump", Program::Mysql),
    ("mysqlimport", Program::Mysql),
    ("mysqlshow", Program::Mysql),
    ("mariadb", Program::Mysql),
    ("mariadb-admin", Program::Mysql),
    ("mariadb-dump", Program::Mysql),
    ("sshpass", Program::Sshpass),
    ("redis-cli", Program::Redis),
];

/// Options whose value is `user:password` with most programs.
const USER_OPTIONS: [&str; 6] = ["-u", "-U", "--user", "--proxy-user", "--auth", "--userpass"];

impl Programs {
    /// Remembers a word that names a program.
    pub(super) fn note(&mut self, word: &str) {
        let base = word.rsplit('/').next().unwrap_or(word);
        let base = super::unquoted(base);
        let known = PROGRAMS.iter().find(|(name, _)| *name == base);
        self.last = known.map(|(_, program)| *program).or(self.last);
    }

    /// A value of an option for a user, with a password hidden. Some programs mean a group, a host
    /// or a URL by what else it may be.
    pub(super) fn user(&self, value: &str) -> String {
        if value.contains("://") {
            return redact_word(value);
        }
        let sure = self.last == Some(Program::Http);
        if !sure && (self.last == Some(Program::SwitchesUser) || is_address(value)) {
            return value.to_owned();
        }
        hidden_user(value)
    }

    /// The word before a user.
    pub(super) fn is_user_option(&self, word: &str) -> bool {
        USER_OPTIONS.contains(&word) || (self.is(Program::Http) && word == "-a")
    }

    /// Option and user in one word: `--user=a:b`, of `curl` also `-ua:b`.
    pub(super) fn option_with_user<'a>(&self, word: &'a str) -> Option<(&'a str, &'a str)> {
        if let Some((option, _)) = word.split_once('=')
            && USER_OPTIONS.contains(&option)
        {
            return Some(word.split_at(option.len() + 1));
        }
        let glued = self.is(Program::Http) && word.starts_with("-u") && word.contains(':');
        glued.then(|| word.split_at("-u".len()))
    }

    /// The word before a secret.
    pub(super) fn is_secret_option(&self, word: &str) -> bool {
        match self.last {
            Some(Program::Sshpass) => word == "-p",
            Some(Program::Redis) => word == "-a",
            _ => false,
        }
    }

    /// The option of a word that is an option and its secret.
    pub(super) fn option_with_secret<'a>(&self, word: &'a str) -> Option<&'a str> {
        let glued = self.is(Program::Mysql) || self.is(Program::Sshpass);
        let secret = word.len() > "-p".len() && word.starts_with("-p");
        (glued && secret).then(|| &word[.."-p".len()])
    }

    fn is(&self, program: Program) -> bool {
        self.last == Some(program)
    }
}

/// `1000:1000` is a user and a group, `10.0.0.4:80` and `localhost:80` are a host and a port.
fn is_address(value: &str) -> bool {
    let Some((name, number)) = value.rsplit_once(':') else {
        return false;
    };
    let host = name == "localhost" || name.contains(['.', '[']);
    is_number(number) && (host || is_number(name))
}
