import { openGcsStore } from '../../src/stores/gcs.ts';
import { gcsStoreConfig, startGcsServer } from '../support/gcs-server.ts';
import type { GcsServer } from '../support/gcs-server.ts';
import { onBadNetwork } from './http-faults.ts';

const noSecrets = () => Promise.reject(new Error('no secret is needed here'));
let server: GcsServer;

onBadNetwork({
  name: 'a Google store',
  silenceMs: 2_000,
  body: Buffer.alloc(15_000, 'what must come back whole '),
  busy: { kind: 'status', status: 503 },
  forbidden: { kind: 'status', status: 403 },
  final: [
    [403, undefined, 'StoreDenied'],
    [401, undefined, 'StoreDenied'],
    [501, undefined, 'StoreUnfit'],
  ],
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
