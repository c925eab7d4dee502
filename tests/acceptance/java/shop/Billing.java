package shop;

import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.annotation.BackOff;
import org.springframework.kafka.annotation.EnableKafkaRetryTopic;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.annotation.RetryableTopic;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.retrytopic.TopicSuffixingStrategy;
import org.springframework.scheduling.TaskScheduler;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;

/** Spring Kafka with retry topics: cards are charged; some are declined until the file "mended" is there, some always. */
@Configuration
@EnableKafkaRetryTopic
public class Billing {
    static final String CHARGES = "card.charges";
    static final String PAYMENTS = "card.payments";

    static Map<String, Object> client;
    static Path mended;

    /** The application's own failure. */
    public static class CardDeclined extends RuntimeException {
        CardDeclined(String said) {
            super(said);
        }
    }

    /** Arguments: a properties file of Kafka's clients, the file whose presence mends. */
    public static void main(String[] arguments) throws IOException {
        client = properties(arguments[0]);
        mended = Path.of(arguments[1]);
        new AnnotationConfigApplicationContext(Billing.class);
    }

    static Map<String, Object> properties(String file) throws IOException {
        var read = new Properties();
        try (InputStream stream = new FileInputStream(file)) {
            read.load(stream);
        }
        var found = new HashMap<String, Object>();
        read.forEach((name, value) -> found.put((String) name, value));
        return found;
    }

    @RetryableTopic(
            attempts = "3",
            backOff = @BackOff(delay = 200, multiplier = 2),
            topicSuffixingStrategy = TopicSuffixingStrategy.SUFFIX_WITH_INDEX_VALUE)
    @KafkaListener(id = "card-billing", topics = CHARGES)
    public void charge(ConsumerRecord<byte[], byte[]> record) {
        var order = new String(record.value(), StandardCharsets.UTF_8);
        if (order.contains("stolen") || (order.contains("declined") && !Files.exists(mended))) {
            throw new CardDeclined("card of " + order + " declined");
        }
        template().send(PAYMENTS, record.key(), record.value());
    }

    @Bean
    KafkaTemplate<byte[], byte[]> template() {
        var settings = new HashMap<>(client);
        settings.put("key.serializer", ByteArraySerializer.class);
        settings.put("value.serializer", ByteArraySerializer.class);
        return new KafkaTemplate<>(new DefaultKafkaProducerFactory<>(settings));
    }

    @Bean
    ConcurrentKafkaListenerContainerFactory<byte[], byte[]> kafkaListenerContainerFactory() {
        var settings = new HashMap<>(client);
        settings.put("key.deserializer", ByteArrayDeserializer.class);
        settings.put("value.deserializer", ByteArrayDeserializer.class);
        settings.put("auto.offset.reset", "earliest");
        settings.put("client.id", "card-billing");
        var factory = new ConcurrentKafkaListenerContainerFactory<byte[], byte[]>();
        factory.setConsumerFactory(new DefaultKafkaConsumerFactory<>(settings));
        return factory;
    }

    @Bean
    KafkaAdmin admin() {
        return new KafkaAdmin(client);
    }

    @Bean
    NewTopic charges() {
        return new NewTopic(CHARGES, 1, (short) 1);
    }

    @Bean
    NewTopic payments() {
        return new NewTopic(PAYMENTS, 1, (short) 1);
    }

    @Bean
    TaskScheduler scheduler() {
        return new ThreadPoolTaskScheduler();
    }
}
