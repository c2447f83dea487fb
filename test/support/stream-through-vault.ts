/**
 * Run as a program: captures a stream of this many MiB into a new vault and reads it back. Prints JSON: whether the
 * bytes were the same, and the most memory that the process ever had.
 */
import { createHash } from 'node:crypto';

import { artifactOf, backUp, makeTestVault, noise } from './vault.ts';

const MIB = 1024 * 1024;
const total = Number(process.argv[2]);
const went = createHash('sha256');
const came = createHash('sha256');

await using vault = await makeTestVault();
const writer = await vault.writer();
const made = await backUp(writer, {
  captureId: 'run-1',
  artifacts: [
    artifactOf('stream', [
      {
        kind: 'stream',
        cut: 'content',
        async *open() {
          for (let seed = 1; seed <= total; seed += 1) {
            const bytes = noise(seed, MIB);
            // A good part of it compresses, so that the disk is not what is tested.
            bytes.fill(0, MIB / 4);
            went.update(bytes);
            yield await Promise.resolve(bytes);
          }
        },
      },
    ]),
  ],
});
await writer.close();

const reader = await vault.reader();
const [artifact] = await (await reader.open(made.manifestKey)).artifacts('ledger');
if (artifact === undefined) throw new Error('the artifact is missing');
for await (const bytes of artifact.read()) came.update(bytes);
const verdict = await reader.verifyContent(made.manifestKey, { signal: new AbortController().signal });
await reader.close();

const same = went.digest('hex') === came.digest('hex') && artifact.lengthBytes === total * MIB;
const maxRssMiB = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ same, verified: verdict.ok, maxRssMiB }));
