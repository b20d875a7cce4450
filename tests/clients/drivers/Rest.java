import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** Java's HttpClient: `java -Djavax.net.ssl.trustStore=... -Dhttps.proxyHost=... Rest.java PATH`; properties say the rest. */
public class Rest {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newBuilder()
            .proxy(ProxySelector.getDefault())
            .connectTimeout(Duration.ofSeconds(30))
            .build();
        HttpRequest request = HttpRequest.newBuilder(
                URI.create("https://dbc-a1b2c3d4-e5f6.cloud.databricks.com" + arguments[0]))
            .header("Authorization", "Bearer " + System.getenv("DATABRICKS_TOKEN"))
            .build();
        HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(answer.version() + " " + answer.statusCode());
        System.out.println(answer.body());
    }
}
