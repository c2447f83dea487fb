import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { expect, test } from 'vitest';

const run = promisify(execFile);

test('600 MiB captured, read back and verified: the bytes are the same, in under 512 MiB of memory', async () => {
  const program = fileURLToPath(new URL('../support/stream-through-vault.ts', import.meta.url));
  const { stdout } = await run(process.execPath, [program, '600']);
  const result = JSON.parse(stdout) as { same: boolean; verified: boolean; maxRssMiB: number };
  expect(result).toMatchObject({ same: true, verified: true });
  expect(result.maxRssMiB).toBeLessThan(512);
});
