/** Azurite for tests: Microsoft's emulator of Azure Blob, in memory, on a free loopback port, with one empty container. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { SecretRef, StoreAddress } from '../../src/system/types.ts';
import { startServerProcess } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

const ACCOUNT = 'holdfasttest';
export const AZURE_KEY = Buffer.alloc(64, 'holdfast-test').toString('base64');
const PROGRAM = join(import.meta.dirname, '../../node_modules/azurite/dist/src/blob/main.js');

export interface AzureServer extends ServerProcess {
  /** Of the account: `http://127.0.0.1:…/holdfasttest` */
  readonly url: string;
  readonly account: string;
  readonly container: string;
}

export async function startAzureServer(): Promise<AzureServer> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-azure-'));
  const server = await startServerProcess({
    program: process.execPath,
    directory,
    env: { AZURITE_ACCOUNTS: `${ACCOUNT}:${AZURE_KEY}`, HOME: directory },
    args: (port) => {
      // It refuses the versions of the interface that it does not know, which are those of every new client.
      const how = ['--inMemoryPersistence', '--silent', '--disableTelemetry', '--skipApiVersionCheck'];
      return [PROGRAM, '--blobHost', '127.0.0.1', '--blobPort', String(port), ...how];
    },
  });
  const url = `http://127.0.0.1:${server.port}/${ACCOUNT}`;
  await new ContainerClient(`${url}/vaults`, new StorageSharedKeyCredential(ACCOUNT, AZURE_KEY)).create();
  return { ...server, url, account: ACCOUNT, container: 'vaults' };
}

/** How a system file would name a store on this server; `endpoint` may be a proxy's, with the account behind it. */
export function azureStoreConfig(
  server: Pick<AzureServer, 'url' | 'account' | 'container'>,
  options: { prefix: string; endpoint?: string },
): Extract<StoreAddress, { kind: 'azure' }> {
  const { account, container } = server;
  const { prefix, endpoint = server.url } = options;
  return { name: 'azure', kind: 'azure', account, container, prefix, endpoint, accountKey: { env: 'AZURE_KEY' } };
}

/** Resolves the secret that `azureStoreConfig` names, and nothing else. */
export function resolveAzureSecret(ref: SecretRef): Promise<string> {
  const known = 'env' in ref && ref.env === 'AZURE_KEY';
  return known ? Promise.resolve(AZURE_KEY) : Promise.reject(new Error('no such secret here'));
}
