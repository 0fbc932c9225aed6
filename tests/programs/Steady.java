// Steady.java PORT: a web server with four threads; every answer is read from a file.
//
// Leaks nothing. Says "ready" and serves until its standard input ends.
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Executors;

public class Steady {
    public static void main(String[] arguments) throws Exception {
        var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[0]));
        var file = Path.of("/etc/passwd");
        var server = HttpServer.create(address, 0);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.createContext("/", exchange -> {
            try (var input = Files.newInputStream(file)) {
                var content = input.readAllBytes();
                exchange.sendResponseHeaders(200, content.length);
                exchange.getResponseBody().write(content);
            }
            exchange.close();
        });
        server.start();
        System.out.println("ready");
        System.in.readAllBytes();
        System.exit(0);
    }
}
