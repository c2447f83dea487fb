import { openAzureStore } from '../../src/stores/azure.ts';
import { azureStoreConfig, resolveAzureSecret, startAzureServer } from '../support/azure-server.ts';
import type { AzureServer } from '../support/azure-server.ts';
import { onBadNetwork } from './http-faults.ts';

let server: AzureServer;

onBadNetwork({
  name: 'an Azure store',
  silenceMs: 2_000,
  body: Buffer.alloc(15_000, 'what must come back whole '),
  busy: { kind: 'status', status: 503 },
  forbidden: { kind: 'status', status: 403 },
  final: [
    [403, undefined, 'StoreDenied'],
    [401, undefined, 'StoreDenied'],
    [501, undefined, 'StoreUnfit'],
  ],
  reads: ({ method }) => method === 'HEAD',
  writes: () => true,
  start: async () => {
    server = await startAzureServer();
    return new URL(server.url).origin;
  },
  open: (origin, retries) => {
    const config = { ...azureStoreConfig(server, { prefix: 'faults' }), endpoint: `${origin}/${server.account}` };
    return openAzureStore(config, resolveAzureSecret, retries);
  },
  stop: () => server.stop(),
});
