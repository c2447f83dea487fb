import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backUp, artifactOf, makeTestVault, noise, readAll, recipeSegment } from '../support/vault.ts';
import { watched } from '../support/watched-store.ts';

const MIB = 1024 * 1024;

test('threads that cannot put chunks into their places: the store puts them, and the backup reads back', async () => {
  await using vault = await makeTestVault();
  const store = watched(vault.store);
  let handedOut = 0;
  let over = 0;
  store.handOut = (key) => {
    handedOut += 1;
    const target = join(vault.directory, 'nowhere', key);
    return Promise.resolve({ target, temporary: `${target}.new`, over: () => (over += 1) });
  };
  const data = [noise(1, MIB), noise(2, MIB), noise(3, MIB)];
  const writer = await vault.writer({ store });
  const made = await backUp(writer, { captureId: 'run-1', artifacts: [artifactOf('a', [recipeSegment('s', data)])] });
  await writer.close();
  expect([handedOut, over]).toEqual([3, 3]);
  expect(store.written.filter((key) => key.startsWith('chunks/'))).toHaveLength(4);
  const reader = await vault.reader();
  const [artifact] = await (await reader.open(made.manifestKey)).artifacts('ledger');
  expect((await readAll(artifact)).equals(Buffer.concat(data))).toBe(true);
  await reader.close();
});
