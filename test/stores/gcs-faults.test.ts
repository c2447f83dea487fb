import { openGcsStore } from '../../src/stores/gcs.ts';
import { gcsStoreConfig, startGcsServer } from '../support/gcs-server.ts';
import type { GcsServer } from '../support/gcs-server.ts';
import { onBadNetwork, PLAIN_ANSWERS } from './http-faults.ts';

const noSecrets = () => Promise.reject(new Error('no secret is needed here'));
let server: GcsServer;

onBadNetwork({
  ...PLAIN_ANSWERS,
  name: 'a Google store',
  reads: ({ method, url }) => method === 'GET' && /\/o\/[^?]/.test(url),
  // Whether the name is taken may be asked once as well.
  writes: ({ method }) => method === 'POST',
  start: async () => {
    server = await startGcsServer();
    return server.url;
  },
  open: (endpoint, retries) => openGcsStore(gcsStoreConfig(server, { prefix: 'faults', endpoint }), noSecrets, retries),
  stop: () => server.stop(),
});
