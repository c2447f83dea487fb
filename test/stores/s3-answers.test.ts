/** Answers that no server here gives: a listing that is cut, and a bucket that an answer which was lost has made. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openS3Store } from '../../src/stores/s3.ts';
import { openBucketSettings } from '../../src/stores/s3-setup.ts';
import { startRecordingServer } from '../support/recording-server.ts';
import type { RecordingServer, ScriptedAnswer } from '../support/recording-server.ts';

const QUICK = { attempts: 2, firstPauseMs: 1, longestPauseMs: 2, silenceMs: 30_000 };
const XML = { 'content-type': 'application/xml' };

let server: RecordingServer;

beforeAll(async () => {
  server = await startRecordingServer();
});

afterAll(() => server.close());

const config = () =>
  ({
    name: 's3',
    kind: 's3',
    bucket: 'vaults',
    prefix: 'shop',
    region: 'eu-central-1',
    endpoint: server.url,
    pathStyle: true,
    accessKeyId: { env: 'ID' },
    secretAccessKey: { env: 'KEY' },
  }) as const;
const secret = () => Promise.resolve('secret');

const xml = (name: string, inner: string, status = 200): ScriptedAnswer => ({
  status,
  headers: XML,
  body: `<?xml version="1.0" encoding="UTF-8"?><${name}>${inner}</${name}>`,
});
async function allOf(listing: AsyncIterable<unknown> | undefined): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const each of listing ?? []) found.push(each);
  return found;
}

const one = '<Key>shop/a</Key><Size>1</Size><ETag>"e"</ETag>';

it('a listing that goes on and does not say where: refused, never taken for the whole', async () => {
  const store = await openS3Store(config(), secret, QUICK);
  server.answer(({ url }) =>
    url.includes('versions')
      ? xml('ListVersionsResult', `<IsTruncated>true</IsTruncated><Version>${one}</Version>`)
      : xml('ListBucketResult', `<IsTruncated>true</IsTruncated><Contents>${one}</Contents>`),
  );
  const cut = { code: 'StoreUnreachable', message: expect.stringContaining('goes on and not where') as string };
  await expect(allOf(store.list(''))).rejects.toMatchObject(cut);
  await expect(allOf(store.versions?.list(''))).rejects.toMatchObject(cut);
  await store.close();
});

it('a bucket whose creation was answered into nothing: asked for again it is there, and that is no failure', async () => {
  const settings = await openBucketSettings(config(), secret);
  let asked = 0;
  server.answer(() => {
    asked += 1;
    if (asked === 1) return { status: 503 };
    return xml('Error', '<Code>BucketAlreadyOwnedByYou</Code><Message>yours</Message>', 409);
  });
  await settings.make({ kind: 'create', lock: true });
  expect(asked).toBe(2);
  server.answer(() => xml('Error', '<Code>BucketAlreadyExists</Code><Message>of others</Message>', 409));
  await expect(settings.make({ kind: 'create', lock: true })).rejects.toMatchObject({ code: 'StoreDenied' });
  settings.close();
});

it('[M4] what S3 says of a replicated object: on its way, there, given up, not replicated, gone', async () => {
  const store = await openS3Store(config(), secret, QUICK);
  const asked = async (answer: ScriptedAnswer): Promise<unknown> => {
    server.answer(() => answer);
    return store.replication?.stateOf('backups/daily/x.json');
  };
  const told = (state: string): ScriptedAnswer => ({ status: 200, headers: { 'x-amz-replication-status': state } });
  expect(await asked(told('PENDING'))).toBe('pending');
  expect(await asked(told('COMPLETED'))).toBe('completed');
  expect(await asked(told('FAILED'))).toBe('failed');
  // At the destination, and where nothing is replicated.
  expect(await asked(told('REPLICA'))).toBeUndefined();
  expect(await asked({ status: 200 })).toBeUndefined();
  expect(await asked({ status: 404 })).toBeUndefined();
  await expect(asked({ status: 403 })).rejects.toMatchObject({ code: 'StoreDenied' });
  await store.close();
});
