// work.js WORKLOAD AGE WARM SPAN FOLDER: services in node, some of which lose something.
//
// Says what the programs in C say (work.h): "ready"; what it has lost after SPAN seconds; "done".
const fs = require("fs");
const net = require("net");

const [workload, ...words] = process.argv.slice(2);
const [age, , span] = words.slice(0, 3).map(Number);
const kept = [];
let begun;

const mayLose = () => process.hrtime.bigint() - begun < BigInt(Math.round(span * 1e9));

const steps = {
  // Leaks files: handles that wait in an array for somebody to close them.
  files_kept(turn) {
    fs.closeSync(fs.openSync(__filename));
    if (turn % 4 === 0 && mayLose()) kept.push(fs.openSync(__filename));
  },
  // Leaks files: one request in five forgets its own, the others close theirs. In seconds.
  some_files(turn) {
    fs.open(__filename, (error, file) => {
      if (error) throw error;
      if (turn % 5 === 0 && mayLose()) kept.push(file);
      else setTimeout(() => fs.close(file), 2);
    });
  },
  // Leaks nothing: tables are loaded in the first minute, a few MiB, and then it idles. In seconds.
  idle_ramp() {
    if (process.hrtime.bigint() - begun < 60000000000n)
      kept.push(Array.from({ length: 600 }, (_, i) => ({ i, text: "row " + i })));
  },
  // Leaks nothing: a server and its clients, which stay for a random time, and files between.
  service() {
    fs.readFile(__filename, () => {});
    const client = net.connect(server.address().port, "127.0.0.1");
    client.on("error", () => {});
    setTimeout(() => client.end(), Math.random() * 1.5 * age * 1000);
  },
};
const loses = { files_kept: "fd file", some_files: "fd file" };
const paces = { some_files: 0.1, idle_ramp: 0.5 };

const server = net.createServer((connection) => {
  connection.on("error", () => {});
  connection.resume();
});

function begin() {
  let turn = 0;
  let told = false;
  let lost = false;
  begun = process.hrtime.bigint();
  setInterval(() => {
    steps[workload](turn++);
    if (loses[workload] && kept.length > 0 && !lost) {
      lost = true;
      console.log(`first ${Date.now() / 1000}`);
    }
    if (told || mayLose()) return;
    told = true;
    if (loses[workload])
      console.log(`finds ${process.pid} leak ${loses[workload]} ${kept.length} * *`);
    console.log("done");
  }, (paces[workload] || age / 20) * 1000);
}

server.listen(0, "127.0.0.1", () => console.log("ready"));
process.stdin.once("data", begin).on("end", () => process.exit());
