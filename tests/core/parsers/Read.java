import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Base64;
import java.util.List;

/** What Jackson reads in bodies: one a line, in base64; one line of JSON for each, with the readings of several mappers. */
public class Read {
    public enum Target { UNKNOWN, STANDARD, PERFORMANCE_OPTIMIZED }

    public static class Queue { public Boolean enabled; }

    public static class Notebook { @JsonProperty("notebook_path") public String path; }

    public static class Task { @JsonProperty("notebook_task") public Notebook notebook; }

    public static class Call {
        @JsonProperty("job_id") public Long job;
        public Queue queue;
        @JsonProperty("performance_target") public Target target;
        @JsonProperty("idempotency_token") public String token;
        public List<Task> tasks;
    }

    /** Without annotations: names by a strategy, as many servers have them. */
    public static class Plain {
        public long jobId;
        public Queue queue;
        public Target performanceTarget;
        public String idempotencyToken;
    }

    static ObjectMapper strict() {
        return JsonMapper.builder().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();
    }

    static ObjectMapper lenient() {
        JsonMapper.Builder builder = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.ACCEPT_SINGLE_VALUE_AS_ARRAY, DeserializationFeature.UNWRAP_SINGLE_VALUE_ARRAYS,
                DeserializationFeature.READ_UNKNOWN_ENUM_VALUES_AS_NULL, DeserializationFeature.ACCEPT_EMPTY_STRING_AS_NULL_OBJECT)
            .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_PROPERTIES, MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS,
                MapperFeature.ALLOW_COERCION_OF_SCALARS);
        for (JsonReadFeature feature : JsonReadFeature.values()) {
            builder.enable(feature);
        }
        return builder.build();
    }

    static void put(com.fasterxml.jackson.databind.node.ArrayNode into, Object job, Boolean enabled, Object target, String token, List<Task> tasks) {
        var found = into.addObject();
        found.putPOJO("job_id", job);
        found.putPOJO("enabled", enabled);
        found.put("target", target == null ? null : target.toString());
        found.put("token", token);
        var paths = found.putArray("paths");
        if (tasks != null) {
            for (Task task : tasks) {
                if (task != null && task.notebook != null) {
                    paths.add(task.notebook.path);
                }
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        ObjectMapper writer = new ObjectMapper();
        List<ObjectMapper> mappers = List.of(strict(), lenient());
        List<ObjectMapper> named = List.of(
            strict().setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE),
            lenient().setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE), lenient());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            byte[] body = Base64.getDecoder().decode(line);
            var found = writer.createArrayNode();
            for (ObjectMapper mapper : mappers) {
                try {
                    Call call = mapper.readValue(body, Call.class);
                    if (call != null) {
                        put(found, call.job, call.queue == null ? null : call.queue.enabled, call.target, call.token, call.tasks);
                    }
                } catch (Exception refused) {
                    continue;
                }
            }
            for (ObjectMapper mapper : named) {
                try {
                    Plain call = mapper.readValue(body, Plain.class);
                    if (call != null) {
                        put(found, call.jobId, call.queue == null ? null : call.queue.enabled, call.performanceTarget, call.idempotencyToken, null);
                    }
                } catch (Exception refused) {
                    continue;
                }
            }
            for (ObjectMapper mapper : mappers) {
                try {
                    JsonNode tree = mapper.readTree(body);
                    JsonNode job = tree.path("job_id");
                    put(found, job.isMissingNode() ? null : job.asLong(), tree.path("queue").path("enabled").asBoolean(),
                        tree.path("performance_target").asText(null), tree.path("idempotency_token").asText(null), null);
                } catch (Exception refused) {
                    continue;
                }
            }
            System.out.println(writer.writeValueAsString(found));
        }
    }
}
