// java HttpClientProgram.java URL FILE: one image, HTTP/2 offered by an upgrade; one damaged.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;

public class HttpClientProgram {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        byte[] image = Files.readAllBytes(Path.of(arguments[1]));
        for (byte[] body : new byte[][] {image, image, "no image".getBytes()}) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0] + "/v1/predict"))
                .header("Content-Type", "image/png")
                .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                .build();
            HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(response.statusCode() + " " + response.body());
        }
    }
}
