package shop;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.runtime.Worker;
import org.apache.kafka.connect.runtime.isolation.Plugins;
import org.apache.kafka.connect.runtime.standalone.StandaloneConfig;
import org.apache.kafka.connect.runtime.standalone.StandaloneHerder;
import org.apache.kafka.connect.storage.FileOffsetBackingStore;

/** Kafka Connect's own worker, without its REST server, with one sink that writes invoices to a file. */
public class Archive {
    static final String INVOICES = "card.invoices";

    /** Arguments: a properties file of Kafka's clients, the file whose presence mends, a folder. */
    public static void main(String[] arguments) throws Exception {
        var client = new HashMap<String, String>();
        Billing.properties(arguments[0]).forEach((name, value) -> client.put(name, value.toString()));
        var settings = new HashMap<>(client);
        client.forEach((name, value) -> settings.put("consumer." + name, value));
        client.forEach((name, value) -> settings.put("producer." + name, value));
        client.forEach((name, value) -> settings.put("admin." + name, value));
        settings.put("key.converter", "org.apache.kafka.connect.storage.StringConverter");
        settings.put("value.converter", "org.apache.kafka.connect.json.JsonConverter");
        settings.put("value.converter.schemas.enable", "false");
        settings.put("offset.storage.file.filename", arguments[2] + "/offsets");
        settings.put("offset.flush.interval.ms", "1000");
        settings.put("plugin.discovery", "service_load");

        var plugins = new Plugins(settings);
        plugins.compareAndSwapWithDelegatingLoader();
        var config = new StandaloneConfig(settings);
        var policy = new AllConnectorClientConfigOverridePolicy();
        var converter = new JsonConverter();
        converter.configure(Map.of("schemas.enable", "false"), true);
        var offsets = new FileOffsetBackingStore(converter);
        offsets.configure(config);
        var worker = new Worker("archive", Time.SYSTEM, plugins, config, offsets, policy);
        var herder = new StandaloneHerder(worker, config.kafkaClusterId(), policy);
        herder.start();
        herder.putConnectorConfig("card-archive", sink(arguments), false, (failure, created) -> {
            if (failure != null) {
                failure.printStackTrace();
                Runtime.getRuntime().halt(1);
            }
        });
        Thread.currentThread().join();
    }

    private static Map<String, String> sink(String[] arguments) {
        var sink = new HashMap<String, String>();
        sink.put("name", "card-archive");
        sink.put("connector.class", ArchiveSink.class.getName());
        sink.put("tasks.max", "1");
        sink.put("topics", INVOICES);
        sink.put("consumer.override.auto.offset.reset", "earliest");
        sink.put("mended", arguments[1]);
        sink.put("file", Path.of(arguments[2], "archived").toString());
        sink.put("errors.tolerance", "all");
        sink.put("errors.deadletterqueue.topic.name", INVOICES + ".dlq");
        sink.put("errors.deadletterqueue.topic.replication.factor", "1");
        sink.put("errors.deadletterqueue.context.headers.enable", "true");
        return sink;
    }
}
