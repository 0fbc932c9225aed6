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
  // Leaks nothing: a server and its clients, which stay for a random time, and files between.
  service() {
    fs.readFile(__filename, () => {});
    const client = net.connect(server.address().port, "127.0.0.1");
    client.on("error", () => {});
    setTimeout(() => client.end(), Math.random() * 1.5 * age * 1000);
  },
};
const loses = { files_kept: "fd file" };

const server = net.createServer((connection) => {
  connection.on("error", () => {});
  connection.resume();
});

function begin() {
  let turn = 0;
  let told = false;
  begun = process.hrtime.bigint();
  setInterval(() => {
    steps[workload](turn++);
    if (told || mayLose()) return;
    told = true;
    if (loses[workload])
      console.log(`finds ${process.pid} leak ${loses[workload]} ${kept.length} * *`);
    console.log("done");
  }, (age / 20) * 1000);
}

server.listen(0, "127.0.0.1", () => console.log("ready"));
process.stdin.once("data", begin).on("end", () => process.exit());
