use super::*;

#[test]
fn secrets_are_hidden_in_every_known_form() {
    for (line, expected) in [
        ("api --password=hunter2 -v", "api --password=*** -v"),
        ("api --token abc --port 80", "api --token *** --port 80"),
        (
            "env API_KEY=abc DB_PassWord=x=y api",
            "env API_KEY=*** DB_PassWord=*** api",
        ),
        (
            "java -Djavax.keyStorePassword=x Main",
            "java -Djavax.keyStorePassword=*** Main",
        ),
        ("curl -H X-Api-Key: abc", "curl -H X-Api-Key: ***"),
        ("curl -H X-Api-Key:abc -v", "curl -H X-Api-Key:*** -v"),
        ("openssl -out f pass:abc", "openssl -out f pass:***"),
        (
            "api  --secret\0abc\0--token  x ",
            "api  --secret\0***\0--token  *** ",
        ),
        ("api --password= next", "api --password=*** next"),
        ("ключ --TOKEN ключ Ü=é", "ключ --TOKEN *** Ü=é"),
        (
            "PGPASSWORD=x MYSQL_PWD=y sh",
            "PGPASSWORD=*** MYSQL_PWD=*** sh",
        ),
    ] {
        assert_eq!(redact(line), expected, "{line}");
    }
}

#[test]
fn passwords_in_urls_are_hidden() {
    for (line, expected) in [
        ("psql postgres://u:pw@h/db", "psql postgres://u:***@h/db"),
        ("x redis://:pw@h:6379", "x redis://:***@h:6379"),
        ("x amqp://u:p/w?@h", "x amqp://u:***@h"),
        ("x http://u:p@w@h/a@b", "x http://u:***@h/a@b"),
        (
            "DATABASE_URL=mongodb://u:pw@h1,h2/db",
            "DATABASE_URL=mongodb://u:***@h1,h2/db",
        ),
        ("x a://u:p@h,b://v:q@i", "x a://u:***@h,b://v:***@i"),
        (
            "curl https://h/?a=1&token=abc&b=2",
            "curl https://h/?a=1&token=***&b=2",
        ),
        (
            "curl https://u:p@h/?password=a&api_key=b#top",
            "curl https://u:***@h/?password=***&api_key=***#top",
        ),
        (
            "java -jar a.jar jdbc:postgresql://h/db?user=u&password=pw",
            "java -jar a.jar jdbc:postgresql://h/db?user=u&password=***",
        ),
    ] {
        assert_eq!(redact(line), expected, "{line}");
    }
}

#[test]
fn authorization_is_hidden_and_its_scheme_is_not() {
    for (line, expected) in [
        (
            "curl -H Authorization: Bearer x y",
            "curl -H Authorization: Bearer *** y",
        ),
        (
            "curl -H Authorization: Basic dTpw",
            "curl -H Authorization: Basic ***",
        ),
        (
            "curl -H Authorization:Bearer x",
            "curl -H Authorization:Bearer ***",
        ),
        ("curl -H Authorization: x", "curl -H Authorization: ***"),
        (
            "curl --header=Proxy-Authorization: Basic x",
            "curl --header=Proxy-Authorization: Basic ***",
        ),
        (
            "sh -c curl -H 'authorization: token x' h",
            "sh -c curl -H 'authorization: token *** h",
        ),
        (
            "grpcurl -H authorization=x h",
            "grpcurl -H authorization=*** h",
        ),
        ("api Bearer x", "api Bearer ***"),
    ] {
        assert_eq!(redact(line), expected, "{line}");
    }
}

#[test]
fn passwords_behind_a_user_are_hidden() {
    for (line, expected) in [
        ("curl -u a:b h", "curl -u a:*** h"),
        ("/usr/bin/curl -ua:b h", "/usr/bin/curl -ua:*** h"),
        ("curl -u 1:2 h", "curl -u 1:*** h"),
        ("curl --user=a:b:c h", "curl --user=a:*** h"),
        ("curl --proxy-user a:b h", "curl --proxy-user a:*** h"),
        ("http -a a:b h", "http -a a:*** h"),
        ("tool -u a:b", "tool -u a:***"),
        ("sudo curl -u a:b h", "sudo curl -u a:*** h"),
        ("sh -c 'curl -u a:b h'", "sh -c 'curl -u a:*** h'"),
        ("tool -u http://a:b@h:80", "tool -u http://a:***@h:80"),
        ("mysql -uroot -ppw db", "mysql -uroot -p*** db"),
        ("sshpass -p pw ssh h", "sshpass -p *** ssh h"),
        ("redis-cli -a pw ping", "redis-cli -a *** ping"),
    ] {
        assert_eq!(redact(line), expected, "{line}");
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    for line in [
        "",
        "api --port 80",
        "api --no-password --port 80",
        "api --no-password next",
        "api --token",
        "pass = word",
        "api --keyspace=a KEYBOARD=us PWD=/root --max-tokens=9",
        "api --password-file=/run/x --key-file k.pem",
        "curl http://host:80/a@b https://h/?a=1&b=2#c",
        "git clone ssh://git@host:22/a.git git@host:a.git",
        "rsync user@host:path .",
        "docker pull registry:5000/image:tag@sha256:abc",
        "docker run -u 1000:1000 -p 80:80 image",
        "docker run --user=nobody:nogroup image",
        "sudo -u root:root sh",
        "tool -u 1000:1000 -u 10.0.0.4:80 -u localhost:80 -u bob",
        "gobuster dir -u http://host:8080/x",
        "curl -u bob -p 80 h",
        "mysql -p -P 3306",
        "ssh -p 22 h",
        "tar -a -cf x",
        "chown user:group file",
        "a:b c:d ::1 12:30",
    ] {
        assert_eq!(redact(line), line);
    }
}

#[test]
fn long_lines_take_linear_time() {
    let line = "=".repeat(1 << 20) + "key" + &"=".repeat(1 << 20);
    assert_eq!(redact(&line).len(), (1 << 20) + "key=***".len());
    let line = "://a:b@".repeat(1 << 17) + &"key&".repeat(1 << 17) + &"?a".repeat(1 << 19);
    assert!(redact(&line).len() > 1 << 20);
}

proptest::proptest! {
    #[test]
    fn no_line_makes_it_panic(line in crate::output::testing::hostile_text()) {
        redact(&line);
        redact(&format!("curl -u {line} Authorization: {line}://{line}:{line}@{line}?key={line}"));
    }
}
