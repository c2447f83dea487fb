import { openAzureStore } from '../../src/stores/azure.ts';
import { azureStoreConfig, resolveAzureSecret, startAzureServer } from '../support/azure-server.ts';
import type { AzureServer } from '../support/azure-server.ts';
import { onBadNetwork, PLAIN_ANSWERS } from './http-faults.ts';

let server: AzureServer;

onBadNetwork({
  ...PLAIN_ANSWERS,
  name: 'an Azure store',
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
