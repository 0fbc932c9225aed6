//! Where a process stands in the cgroup tree, and which container that means; cgroups(7).

use super::text;

/// What follows the path of a group that was removed while processes were in it.
const DELETED: &[u8] = b" (deleted)";

/// The v2 path of `/proc/PID/cgroup`; where that says nothing, the longest v1 path.
pub(super) fn path(file: &[u8]) -> Option<String> {
    let lines = || file.split(|&byte| byte == b'\n').filter_map(hierarchy);
    let unified = lines().find_map(|(id, _, path)| (id == b"0").then_some(path));
    let told = unified.filter(|path| *path != b"/");
    let path = told.or_else(|| {
        lines()
            .map(|(_, _, path)| path)
            .max_by_key(|path| path.len())
    })?;
    Some(text(path.strip_suffix(DELETED).unwrap_or(path)))
}

/// The path in the v1 hierarchy that has a controller, else in v2's, which then has it; and whether
/// it is v2's. Without the mark of a removed group: those above it still bind.
pub(super) fn of_controller<'a>(file: &'a [u8], controller: &[u8]) -> Option<(bool, &'a [u8])> {
    let lines = || file.split(|&byte| byte == b'\n').filter_map(hierarchy);
    let has = |controllers: &[u8]| {
        controllers
            .split(|&byte| byte == b',')
            .any(|one| one == controller)
    };
    let first =
        lines().find_map(|(_, controllers, path)| has(controllers).then_some((false, path)));
    let unified = || lines().find_map(|(id, _, path)| (id == b"0").then_some((true, path)));
    let (unified, path) = first.or_else(unified)?;
    Some((unified, path.strip_suffix(DELETED).unwrap_or(path)))
}

/// Hierarchy id, controllers and path of one line, `4:memory:/a/b`; a path may hold more colons.
fn hierarchy(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut parts = line.splitn(3, |&byte| byte == b':');
    Some((parts.next()?, parts.next()?, parts.next()?))
}

/// The container that a cgroup path belongs to, the innermost where containers are nested.
///
/// Its 64 hexadecimal digits (Docker, containerd, CRI-O, Podman; in the spelling of cgroupfs and of
/// systemd), or the name of an LXC container.
pub fn container_id(path: &str) -> Option<String> {
    let parts: Vec<_> = path.split('/').collect();
    let ids = (0..parts.len()).rev().find_map(|at| {
        let part = *parts.get(at)?;
        let parent = at.checked_sub(1).and_then(|at| parts.get(at)).copied();
        long_id(part).or_else(|| lxc_name(parent, part))
    });
    ids.map(str::to_owned)
}

/// `<64>`, `docker-<64>.scope`, `cri-containerd:<64>` and the like. A `conmon` scope is the
/// container's monitor, which runs outside of it.
fn long_id(part: &str) -> Option<&str> {
    let unit = part.strip_suffix(".scope").unwrap_or(part);
    let (prefix, id) = unit.rsplit_once(['-', ':']).unwrap_or(("", unit));
    let hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (id.len() == 64 && hex && !prefix.ends_with("conmon")).then_some(id)
}

/// `/lxc/<name>` and `/lxc.payload.<name>`.
fn lxc_name<'a>(parent: Option<&str>, part: &'a str) -> Option<&'a str> {
    let name = match parent {
        Some("lxc") => Some(part),
        _ => part.strip_prefix("lxc.payload."),
    };
    name.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "73051af2c1d44b1f9a6a0e4f8b7d2c3e5f60718293a4b5c6d7e8f90123456789";

    #[test]
    fn containers_are_found_in_every_runtimes_spelling() {
        for path in [
            format!("/docker/{ID}"),
            format!("/system.slice/docker-{ID}.scope"),
            format!("/../../../../system.slice/docker-{ID}.scope"),
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod8712f785_1a3e_41ec_a00b_e2dcc77431cb.slice/cri-containerd-{ID}.scope"
            ),
            format!(
                "/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:{ID}"
            ),
            format!("/kubepods/burstable/pod8712f785-1a3e-41ec-a00b-e2dcc77431cb/{ID}"),
            format!("/kubepods.slice/crio-{ID}.scope"),
            format!("/machine.slice/libpod-{ID}.scope/container"),
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope"),
            format!("/docker/{}/docker/{ID}", "0".repeat(64)),
        ] {
            assert_eq!(container_id(&path).as_deref(), Some(ID), "{path}");
        }
    }

    #[test]
    fn lxc_containers_have_names() {
        for (path, expected) in [
            ("/lxc/web", Some("web")),
            ("/lxc/web/system.slice/nginx.service", Some("web")),
            ("/lxc.payload.web/init.scope", Some("web")),
            ("/lxc.monitor.web", None),
            ("/lxc", None),
            ("/lxc/", None),
            ("/lxc.payload.", None),
        ] {
            assert_eq!(container_id(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn other_cgroups_are_no_containers() {
        let conmon = format!("/machine.slice/libpod-conmon-{ID}.scope");
        let crio = format!("/kubepods.slice/crio-conmon-{ID}.scope");
        let short = format!("/docker/{}", &ID[1..]);
        let word = format!("/docker/g{}", &ID[1..]);
        for path in [
            "",
            "/",
            "/system.slice/ssh.service",
            &conmon,
            &crio,
            &short,
            &word,
        ] {
            assert_eq!(container_id(path), None, "{path}");
        }
    }

    #[test]
    fn the_unified_path_wins_unless_it_is_the_root() {
        for (file, expected) in [
            (
                &b"0::/system.slice/ssh.service\n"[..],
                Some("/system.slice/ssh.service"),
            ),
            (b"5:cpu,cpuacct:/aaaaaaaaaaaaaaaaaaaa\n0::/a\n", Some("/a")),
            (
                b"9:name=systemd:/\n4:memory:/jobs/9c51\n2:pids:/jobs\n0::/\n",
                Some("/jobs/9c51"),
            ),
            (b"4:memory:/jobs\n", Some("/jobs")),
            (b"0::/a:b:c\n", Some("/a:b:c")),
            (b"0::/gone (deleted)\n", Some("/gone")),
            (b"0::/\xff\n", Some("/\u{fffd}")),
            (b"0::/\n", Some("/")),
            (b"", None),
            (b"nonsense\n", None),
        ] {
            assert_eq!(path(file).as_deref(), expected, "{}", text(file));
        }
    }
}
