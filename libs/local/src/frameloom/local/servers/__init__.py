"""Three real servers from Python wheels, as child processes over one data directory."""

from frameloom.local.servers.embedded import BUCKET, EmbeddedServers
from frameloom.local.servers.seaweed import SeaweedServer
from frameloom.local.servers.secantus import SecantusServer
from frameloom.local.servers.server import Server
from frameloom.local.servers.tansu import BrokerStorage, TansuServer

__all__ = [
    "BUCKET",
    "BrokerStorage",
    "EmbeddedServers",
    "SeaweedServer",
    "SecantusServer",
    "Server",
    "TansuServer",
]
