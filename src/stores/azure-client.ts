/** Azure's client as a store needs it: its own endpoint and credentials, and no hidden retries. */
import { AnonymousCredential, ContainerClient, newPipeline, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { Pipeline } from '@azure/storage-blob';
import { HoldfastError } from '../failures.ts';
import type { SecretRef, StoreAddress } from '../system/types.ts';

export type AzureConfig = Extract<StoreAddress, { kind: 'azure' }>;

type ResolveSecret = (ref: SecretRef) => Promise<string>;

/** Opens no connection. Throws BadInput, and what `resolveSecret` throws. */
export async function openContainer(config: AzureConfig, resolveSecret: ResolveSecret): Promise<ContainerClient> {
  const base = (config.endpoint ?? `https://${config.account}.blob.core.windows.net`).replace(/\/+$/, '');
  const url = `${base}/${config.container}`;
  const { credential, query } = await login(config, resolveSecret);
  // Retries are ours: only then is it known that an answer was lost, and whose bytes lie there now.
  const pipeline: Pipeline = newPipeline(credential, { retryOptions: { maxTries: 1 } });
  return new ContainerClient(query === '' ? url : `${url}?${query}`, pipeline);
}

async function login(config: AzureConfig, resolveSecret: ResolveSecret) {
  const { account, accountKey, sasToken } = config;
  if (accountKey !== undefined && sasToken !== undefined) {
    throw new HoldfastError('BadInput', `The store ${config.name} names both accountKey and sasToken.`, {
      hint: 'Keep the one that is meant; a shared access signature can have fewer rights.',
    });
  }
  if (sasToken !== undefined) {
    const token = (await resolveSecret(sasToken)).trim().replace(/^\?/, '');
    if (!/(^|&)sig=/.test(token)) throw notOf(config, 'sasToken', 'shared access signature (sv=…&sig=…)');
    return { credential: new AnonymousCredential(), query: token };
  }
  if (accountKey !== undefined) {
    const key = (await resolveSecret(accountKey)).trim();
    if (!/^[A-Za-z0-9+/]{40,}={0,2}$/.test(key)) throw notOf(config, 'accountKey', 'key of a storage account');
    return { credential: new StorageSharedKeyCredential(account, key), query: '' };
  }
  // Only here: it brings along what signs people in, 30 MB of it.
  const { DefaultAzureCredential } = await import('@azure/identity');
  return { credential: new DefaultAzureCredential(), query: '' };
}

function notOf(config: AzureConfig, field: string, what: string): HoldfastError {
  return new HoldfastError('BadInput', `The ${field} of the store ${config.name} is no ${what}.`);
}
