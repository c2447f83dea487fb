import { ContainerClient, ContainerSASPermissions, StorageSharedKeyCredential } from '@azure/storage-blob';
import { generateBlobSASQueryParameters } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../src/failures.ts';
import type { AzureConfig } from '../../src/stores/azure-client.ts';
import { openStore, probeStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { AZURE_KEY, azureStoreConfig, resolveAzureSecret, startAzureServer } from '../support/azure-server.ts';
import type { AzureServer } from '../support/azure-server.ts';
import { conformance, infos, keys, text } from './conformance.ts';

const FRESH = { createOnly: true } as const;
let server: AzureServer;

function open(prefix: string): Promise<Store> {
  return openStore(azureStoreConfig(server, { prefix }), resolveAzureSecret);
}

/** The same store without a login. */
function without({ name, kind, account, container, prefix, endpoint = '' }: AzureConfig): AzureConfig {
  return { name, kind, account, container, prefix, endpoint };
}

async function failure(action: Promise<unknown>): Promise<HoldfastError> {
  return (await action.catch((error: unknown) => error)) as HoldfastError;
}

beforeAll(async () => {
  server = await startAzureServer();
});

afterAll(async () => {
  await server.stop();
});

conformance('azure', () => open('conformance'));

describe('an Azure store', () => {
  it('its prefix: keeps two vaults in one container apart', async () => {
    const [one, two] = [await open('/one/'), await open('two')];
    await one.put('same', Buffer.from('1'), FRESH);
    expect(await two.put('same', Buffer.from('2'), FRESH)).toBe('written');
    expect(await keys(one, '')).toEqual(['same']);
    expect(one.label).toBe(`azure ${server.account}/vaults/one`);
    await Promise.all([one.close(), two.close()]);
  });

  it('a tier: is that of chunks and lists; records stay where reading costs nothing', async () => {
    const config = { ...azureStoreConfig(server, { prefix: 'tiers' }), storageClass: 'Cool' };
    const store = await openStore(config, resolveAzureSecret);
    await store.put('chunks/aa/1', Buffer.from('x'), FRESH);
    await store.put('backups/daily/1.json', Buffer.from('x'), FRESH);
    const tiers = (await infos(store, '')).map(({ key, storageClass }) => [key, storageClass]);
    expect(tiers).toEqual([
      ['backups/daily/1.json', 'Hot'],
      ['chunks/aa/1', 'Cool'],
    ]);
    expect(await store.head('chunks/aa/1')).toMatchObject({ storageClass: 'Cool' });
    await store.close();
  });

  it('a shared access signature: is enough, and without the right to delete or read the probe says so', async () => {
    const credential = new StorageSharedKeyCredential(server.account, AZURE_KEY);
    const sasToken = generateBlobSASQueryParameters(
      {
        containerName: server.container,
        permissions: ContainerSASPermissions.parse('cl'),
        startsOn: new Date(Date.now() - 3_600_000),
        expiresOn: new Date(Date.now() + 3_600_000),
      },
      credential,
    ).toString();
    const config = { ...without(azureStoreConfig(server, { prefix: 'signed' })), sasToken: { env: 'SAS' } };
    const store = await openStore(config, () => Promise.resolve(`?${sasToken}`));
    expect(await store.put('a', Buffer.from('x'), FRESH)).toBe('written');
    expect(await store.put('a', Buffer.from('y'), FRESH)).toBe('exists');
    const denied = await failure(store.delete('a'));
    expect(denied).toMatchObject({ code: 'StoreDenied' });
    expect(denied.message).not.toContain('sig=');
    expect(await store.head('a')).toMatchObject({ sizeBytes: 1 });
    expect(await probeStore(store)).toMatchObject({ createOnly: true, mayRead: false, mayDelete: false });
    await store.close();
  });

  it('the maintainer: has a login of its own, and nothing of the other', async () => {
    const config = {
      ...azureStoreConfig(server, { prefix: 'roles' }),
      accountKey: { env: 'NOBODY' },
      maintainer: { accountKey: { env: 'AZURE_KEY' } },
    };
    await expect(openStore(config, resolveAzureSecret)).rejects.toThrow('no such secret');
    const store = await openStore(config, resolveAzureSecret, { role: 'maintain' });
    expect(await store.put('a', Buffer.from('x'), FRESH)).toBe('written');
    await store.close();
  });

  it('a wrong key: StoreDenied, without the key in the message', async () => {
    const wrong = Buffer.alloc(64, 'wrong').toString('base64');
    const store = await openStore(azureStoreConfig(server, { prefix: 'denied' }), () => Promise.resolve(wrong));
    const cause = await failure(store.get('a'));
    expect(cause).toMatchObject({ code: 'StoreDenied' });
    expect(String(cause)).not.toContain(wrong);
    await store.close();
  });

  it.each([
    ['accountKey', 'not a key'],
    ['sasToken', 'sv=2026&st=now'],
  ])('a %s that can be none: is refused before anything is sent, without being repeated', async (field, secret) => {
    const opened = openStore({ ...without(azureStoreConfig(server, { prefix: '' })), [field]: { env: 'X' } }, () =>
      Promise.resolve(secret),
    );
    const cause = await failure(opened);
    expect(cause).toMatchObject({ code: 'BadInput' });
    expect(cause.message).not.toContain(secret);
  });

  it('a container that does not exist: StoreDenied, and the hint says what to do', async () => {
    const config = { ...azureStoreConfig(server, { prefix: '' }), container: 'no-such-container' };
    const store = await openStore(config, resolveAzureSecret);
    const calls = [
      () => store.put('a', Buffer.from('x'), FRESH),
      () => store.get('a'),
      () => store.head('a'),
      () => store.delete('a'),
      () => keys(store, ''),
    ];
    for (const call of calls) {
      const cause = await failure(call());
      expect(cause).toMatchObject({ code: 'StoreDenied' });
      expect(cause.hint).toContain('container');
    }
    await store.close();
  });

  it('bytes that were damaged on their way: the server refuses them', async () => {
    const credential = new StorageSharedKeyCredential(server.account, AZURE_KEY);
    const container = new ContainerClient(`${server.url}/${server.container}`, credential);
    const upload = container.getBlockBlobClient('damaged').upload('good', 4, {
      transactionalContentMD5: Buffer.alloc(16),
    });
    await expect(upload).rejects.toMatchObject({ statusCode: 400 });
    const store = await open('whole');
    await store.put('a', Buffer.from('good'), FRESH);
    expect(text(await store.get('a'))).toBe('good');
    await store.close();
  });
});
