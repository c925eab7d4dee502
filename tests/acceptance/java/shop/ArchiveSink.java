package shop;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** Writes each record to a file as a line; large ones find the disk full until the file "mended" is there. */
public class ArchiveSink extends SinkConnector {
    private Map<String, String> settings;

    @Override
    public String version() {
        return "1";
    }

    @Override
    public void start(Map<String, String> given) {
        settings = given;
    }

    @Override
    public void stop() {
    }

    @Override
    public Class<? extends Task> taskClass() {
        return Lines.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int most) {
        return List.of(settings);
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef()
                .define("file", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "where to write to")
                .define("mended", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "the file whose presence mends");
    }

    /** The application's own failure. */
    public static class DiskFull extends RuntimeException {
        DiskFull(String said) {
            super(said);
        }
    }

    /** The task. */
    public static class Lines extends SinkTask {
        private Path file;
        private Path mended;

        @Override
        public String version() {
            return "1";
        }

        @Override
        public void start(Map<String, String> settings) {
            file = Path.of(settings.get("file"));
            mended = Path.of(settings.get("mended"));
        }

        @Override
        public void put(Collection<SinkRecord> records) {
            for (SinkRecord record : records) {
                if (((Map<?, ?>) record.value()).containsKey("large") && !Files.exists(mended)) {
                    context.errantRecordReporter().report(record, new DiskFull("no room for " + record.key()));
                    continue;
                }
                try {
                    Files.writeString(file, record.key() + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
                } catch (IOException failure) {
                    throw new UncheckedIOException(failure);
                }
            }
        }

        @Override
        public void stop() {
        }
    }
}
