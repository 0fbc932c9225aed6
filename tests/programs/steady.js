// steady.js PORT: a web server; every answer is read from a file.
//
// Leaks nothing. Says "ready" and serves until its standard input ends.
const fs = require("fs");
const http = require("http");

const server = http.createServer((request, response) => {
  fs.readFile(__filename, (error, content) => {
    response.writeHead(error ? 500 : 200, { "Content-Length": error ? 0 : content.length });
    response.end(error ? "" : content);
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
process.stdin.resume().on("end", () => process.exit());
