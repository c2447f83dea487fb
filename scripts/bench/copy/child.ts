/** One copy between two S3 stores, as a program of its own: what it takes is measured from outside. */
import { openStore } from '../../../src/stores/index.ts';
import { openCopy } from '../../../src/vault/copy/copy.ts';
import { joinVault } from '../../../src/vault/join.ts';
import { resolveS3Secret } from '../../../test/support/s3-server.ts';
import type { CopyTask } from './main.ts';

const task = JSON.parse(process.argv[2] ?? '{}') as CopyTask;
const source = await openStore(task.source, resolveS3Secret);
const target = await openStore(task.target, resolveS3Secret);
await joinVault(source, target, task.system);
const copy = await openCopy({
  target,
  sources: [source],
  system: task.system,
  rootFingerprint: task.rootFingerprint,
  signerKey: task.signerKey,
  signal: new AbortController().signal,
});
for (const one of await copy.survey(() => true)) await copy.copy(one.manifestKey, () => undefined);
console.log(JSON.stringify(copy.tally));
await Promise.all([source.close(), target.close()]);
