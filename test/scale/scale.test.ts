import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { WORKER_MIB_MAX, runScale } from '../../scripts/scale.ts';

test('8,000 files and a file of 512 MiB through backup and restore: equal, within 400 MiB of memory, and a second backup reads nothing', async () => {
  const said: string[] = [];
  const result = await runScale({
    files: 8_000,
    sizeMiB: 512,
    scratch: tmpdir(),
    environment: {},
    say: (text) => said.push(text),
  });
  for (const peak of Object.values(result.peakMiB)) expect(peak, said.join('; ')).toBeLessThan(WORKER_MIB_MAX);
  expect(result.again.chunksNew).toBeLessThan(5);
  expect(result.again.readBytes).toBeLessThan(1024 * 1024);
}, 300_000);
