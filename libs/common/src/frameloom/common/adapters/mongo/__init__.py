"""The document database over PyMongo's asynchronous client.

Only operators that MongoDB documents are used, and every query of a collection stands in its one module.
Comparisons with the database's clock go over ``$toLong``, which all servers we run on agree about.
"""

from frameloom.common.adapters.mongo.client import Mongo
from frameloom.common.adapters.mongo.database import MongoDatabase
from frameloom.common.adapters.mongo.fleet import MongoFleetStore
from frameloom.common.adapters.mongo.jobs import MongoJobStore
from frameloom.common.adapters.mongo.keys import MongoKeyStore, MongoSecretStore
from frameloom.common.adapters.mongo.tasks import MongoTaskStore
from frameloom.common.adapters.mongo.uploads import MongoUploadStore

__all__ = [
    "Mongo",
    "MongoDatabase",
    "MongoFleetStore",
    "MongoJobStore",
    "MongoKeyStore",
    "MongoSecretStore",
    "MongoTaskStore",
    "MongoUploadStore",
]
