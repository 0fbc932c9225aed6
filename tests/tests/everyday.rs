//! `run --fail-on left` as a gate that can be left on: commands of every day pass it, for what
//! their runtimes keep open on purpose is known; and a descriptor that is forgotten beside them, or
//! in them, is found all the same.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{path::Path, time::Duration};

use memguard_tests::{Memguard, Ran, Scratch, machine, program};

/// The code of `run` where the gate was reached.
const GATE: i32 = 23;
/// Compilers and the like on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// Fewer commands than these on a machine say little.
const ENOUGH: usize = 40;

/// Commands, as a shell has them; the first word is the program that has to be installed.
const COMMANDS: &[&str] = &[
    // Shells, and what is piped through them.
    "bash script.sh",
    "bash -c 'for i in 1 2 3; do echo $i; done'",
    "bash -c 'f() { local x=$(date); echo \"$x\"; }; f | cat; cat <<< hello; cat < <(echo x)'",
    "bash pipes.sh",
    "dash script.sh",
    "sh -c 'seq 1000 | sort -n | tail -1 | tr 0-9 a-j'",
    "sh -c 'sleep 0.1 & wait'",
    "sh script.sh",
    "zsh -c 'echo x | cat'",
    "zsh script.sh",
    "busybox sh script.sh",
    // The core utilities.
    "ls -l",
    "cat hello.c",
    "cp hello.c copy.c",
    "date",
    "env true",
    "timeout 5 true",
    "sort hello.c",
    "sh -c 'seq 1000 | head -1'",
    "sh -c 'echo x | tee tee.txt'",
    "find . -name '*.c'",
    "sh -c 'find . -name \"*.c\" | xargs wc -l'",
    "xargs -a words -P4 -n1 true",
    "grep -r main .",
    "sed -n 1p hello.c",
    "awk '{ print $1 }' hello.c",
    "diff hello.c hello.c",
    "file hello.c",
    "bc calculation.bc",
    "less hello.c",
    "man -w ls",
    "ps aux",
    // Archives.
    "tar czf tree.tgz make",
    "tar xzf tree.tgz -C crate",
    "gzip -k -f hello.c",
    "xz -k -f hello.c",
    "bzip2 -k -f hello.c",
    "zstd -q -f hello.c",
    "zip -q tree.zip hello.c",
    // Version control and builds.
    "git init -q repository",
    "sh -c 'cd repository && git add . && git -c user.name=a -c user.email=a@b commit --allow-empty -qm a'",
    "git -C repository log --stat",
    "git -C repository status",
    "sh -c 'rm -rf clone && git clone -q repository clone'",
    "make -j4 -C make",
    "gcc -O1 -o hello hello.c",
    "g++ -o hellopp hello.cc",
    "ld --version",
    "cargo --version",
    "cargo build -q --offline --manifest-path crate/Cargo.toml",
    "rustc --version",
    "go version",
    "env GO111MODULE=off go build -o hellogo hello.go",
    "javac Hello.java",
    "java -version",
    "java -cp . Hello",
    // Languages.
    "python3 -c 'print(1)'",
    "python3 -m json.tool doc.json",
    "python3 script.py",
    "python3 -c 'import asyncio; asyncio.run(asyncio.sleep(0))'",
    "python3 -c 'import subprocess; subprocess.run([\"true\"])'",
    "/usr/bin/python3 script.py",
    "pip --version",
    "node -e 1",
    "node script.js",
    "node worker.js",
    "node -e 'require(\"http\").createServer().listen(0, function() { this.close() })'",
    "node -e 'require(\"child_process\").execSync(\"true\")'",
    "npm --version",
    "ruby -e 'puts 1'",
    "ruby script.rb",
    "perl -e 'print 1'",
    "perl script.pl",
    "php -r 'echo 1;'",
    "php script.php",
    "tclsh script.tcl",
    "lua5.4 -e 'print(1)'",
    // Servers' clients and tools.
    "psql --version",
    "redis-cli --version",
    "sqlite3 :memory: 'select 1'",
    "sqlite3 a.db 'create table if not exists t(x); insert into t values(1); select count(*) from t'",
    "curl -s file:///etc/hostname",
    "curl --version",
    "wget --version",
    "rsync -a make/ make2/",
    "ssh -V",
    "systemctl --version",
    "ffmpeg -version",
    "openssl rand -hex 8",
    "openssl dgst -sha256 hello.c",
    "jq . doc.json",
    "strace -V",
    "gdb --version",
    "vim --version",
    "docker --version",
];

/// What forgets a descriptor in the runtime itself: what the gate has to find there too.
const FORGETFUL: &[&str] = &[
    "bash forget.sh",
    "bash -c 'exec 7< hello.c; true'",
    "dash forget.sh",
    "busybox sh forget.sh",
    "zsh forget.sh",
    "zsh -c 'exec {kept}< hello.c; true'",
    "node -e 'require(\"fs\").openSync(\"hello.c\")'",
    "/usr/bin/python3 -c 'import os; os.open(\"hello.c\", os.O_RDONLY)'",
    "perl -e 'use POSIX; POSIX::open(\"hello.c\")'",
    "ruby -e '$stdout.flush; IO.sysopen(\"hello.c\")'",
];

/// Files that the commands read.
const FILES: &[(&str, &str)] = &[
    (
        "script.sh",
        "#!/bin/sh\necho hi\nx=$(date)\nfor i in 1 2; do echo $i | cat; done\n",
    ),
    (
        "pipes.sh",
        "exec 3>&1\necho x >&3\nexec 3>&-\nwhile read -r line; do echo \"$line\"; done < hello.c\n",
    ),
    ("forget.sh", "exec 7< hello.c\ntrue\n"),
    ("words", "a\nb\nc\nd\n"),
    ("calculation.bc", "1+1\nquit\n"),
    (
        "hello.c",
        "#include <stdio.h>\nint main(void) { puts(\"x\"); return 0; }\n",
    ),
    (
        "hello.cc",
        "#include <iostream>\nint main() { std::cout << 1; }\n",
    ),
    (
        "hello.go",
        "package main\nimport \"fmt\"\nfunc main() { fmt.Println(1) }\n",
    ),
    (
        "Hello.java",
        "public class Hello { public static void main(String[] a) { System.out.println(1); } }\n",
    ),
    ("doc.json", "{ \"a\": 1 }\n"),
    (
        "script.py",
        "import os\nopen('doc.json').read()\nprint(len(os.listdir('.')))\n",
    ),
    (
        "script.js",
        "console.log(require('fs').readFileSync('doc.json').length); setTimeout(() => {}, 10)\n",
    ),
    (
        "worker.js",
        "const { Worker } = require('worker_threads'); new Worker('1', { eval: true })\n",
    ),
    (
        "script.rb",
        "puts File.read('doc.json').size\nThread.new { sleep 0.01 }.join\n",
    ),
    (
        "script.pl",
        "open(F, '<', 'doc.json'); my @l = <F>; close F; print scalar @l; print `echo x`;\n",
    ),
    (
        "script.php",
        "<?php echo strlen(file_get_contents('doc.json'));\n",
    ),
    ("script.tcl", "puts 1\nexec echo x\n"),
    (
        "make/Makefile",
        "all: a b c\na:\n\t@sleep 0.05; echo a\nb:\n\t@echo b | cat\nc:\n\t@$(MAKE) -s d\nd:\n\t@echo d\n",
    ),
    (
        "crate/Cargo.toml",
        "[package]\nname = \"t\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    ),
    ("crate/src/main.rs", "fn main() { println!(\"x\"); }\n"),
];

fn workshop() -> Scratch {
    let scratch = Scratch::new();
    for folder in ["make", "crate/src"] {
        std::fs::create_dir_all(scratch.path(folder)).expect("there is room");
    }
    for (name, text) in FILES {
        scratch.write(name, text);
    }
    scratch
}

/// The program that a command is about.
fn is_installed(command: &str) -> bool {
    let first = command.split(' ').next().unwrap_or_default();
    let inner = |it: &str| memguard_tests::programs::on_path(it).is_some();
    let go = !command.contains(" go ") || inner("go");
    (Path::new(first).is_absolute() && Path::new(first).exists() || inner(first)) && go
}

/// `memguard run --fail-on left -q -- sh -c TEXT`, or without memguard.
fn run(workshop: &Scratch, traced: bool, text: &str) -> Ran {
    let words = ["run", "--fail-on", "left", "-q", "--", "sh", "-c", text];
    let run = if traced {
        Memguard::plain(&words)
    } else {
        Memguard::program(Path::new("sh"), &words[6..])
    };
    let here = workshop.dir().to_owned();
    let run = run.with(|command| {
        command.current_dir(here);
    });
    run.finish_within(PATIENCE)
}

/// The gate is left on, and commands end as they end without it.
#[test]
fn everyday_commands_pass_the_gate() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let workshop = workshop();
    let (mut tried, mut wrong) = (0, Vec::new());
    for command in COMMANDS {
        if !is_installed(command) {
            println!("SKIPPED {command}: not installed");
            continue;
        }
        tried += 1;
        let text = format!("exec {command}");
        let bare = run(&workshop, false, &text).code;
        let traced = run(&workshop, true, &text);
        println!("{command}: {bare}, traced {}", traced.code);
        if traced.code != bare {
            wrong.push(format!(
                "{command}: {}, not {bare}\n{}",
                traced.code, traced.stderr
            ));
        }
    }
    println!("{tried} commands, {} of them fail the gate", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried >= ENOUGH, "only {tried} are installed");
}

/// A descriptor that another program forgets beside them is found, with its place.
#[test]
fn a_leak_beside_everyday_commands_is_found() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let (workshop, leaker) = (workshop(), program("forget_one"));
    let (mut tried, mut missed) = (0, Vec::new());
    for command in COMMANDS.iter().filter(|command| is_installed(command)) {
        tried += 1;
        let ran = run(&workshop, true, &format!("{leaker} && exec {command}"));
        let named = ran.stderr.contains("1 descriptor left") && ran.stderr.contains("forget_one");
        println!(
            "{command}: {}",
            ran.stderr.lines().last().unwrap_or_default()
        );
        if ran.code != GATE || !named {
            missed.push(format!("{command}: {}\n{}", ran.code, ran.stderr));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(tried >= ENOUGH, "only {tried} are installed");
}

/// What is allowed to a runtime is not allowed to the program that it runs.
#[test]
fn what_a_script_forgets_is_found() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let workshop = workshop();
    for command in FORGETFUL {
        if !is_installed(command) {
            println!("SKIPPED {command}: not installed");
            continue;
        }
        let ran = run(&workshop, true, &format!("exec {command}"));
        println!("{command}: {}", ran.stderr.trim_end());
        assert_eq!(ran.code, GATE, "{command}: {ran}");
    }
}
