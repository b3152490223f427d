// Health check of the bundled MongoDB: makes the replica set if there is none yet, and passes once this
// server takes writes. It may run any number of times. It asks under the server's network name, because the
// image's first start runs a temporary server on the loopback address, which must not count.
const member = 'mongo:27017';
const NOT_YET_INITIALIZED = 94;
const ALREADY_INITIALIZED = 23;

const admin = new Mongo(`mongodb://${member}/?directConnection=true`).getDB('admin');
admin.auth(process.env.MONGO_INITDB_ROOT_USERNAME, process.env.MONGO_INITDB_ROOT_PASSWORD);

try {
  admin.runCommand({ replSetGetStatus: 1 });
} catch (error) {
  if (error.code !== NOT_YET_INITIALIZED) throw error;
  try {
    admin.runCommand({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: member }] } });
  } catch (refused) {
    if (refused.code !== ALREADY_INITIALIZED) throw refused;
  }
}

// Not yet primary right after the initiation: the next run of the check passes.
quit(admin.runCommand({ hello: 1 }).isWritablePrimary ? 0 : 1);
