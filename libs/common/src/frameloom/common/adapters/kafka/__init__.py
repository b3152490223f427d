"""The message broker: publishing and consuming over FastStream, topics and work intake over aiokafka."""

from frameloom.common.adapters.kafka.connection import Kafka
from frameloom.common.adapters.kafka.consuming import Consumption, DeadLetterLimit, PoisonGauge
from frameloom.common.adapters.kafka.intake import Intake, Record

__all__ = ["Consumption", "DeadLetterLimit", "Intake", "Kafka", "PoisonGauge", "Record"]
