import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeDurably } from '../../src/docker/durable-file.ts';
import { ownIdentity, printIdentity } from '../../src/docker/process-identity.ts';
import { writeJsonDurably } from '../../src/sources/durable.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-durable-'));
});
afterEach(() => rm(directory, { recursive: true }));

test.each([
  ['writeDurably', writeDurably],
  ['writeJsonDurably', writeJsonDurably],
])(
  '%s where a killed process left its drafts: they go, those of a living one and what else is there stay',
  async (_, write) => {
    const living = ownIdentity();
    // The number was given out again: another process than the one that wrote.
    const dead = { ...living, startTicks: '1' };
    const drafts = [living, dead].flatMap((writer) => [
      `.${printIdentity(writer)}.0123456789ab.draft`,
      `note.json.${printIdentity(writer)}.0123456789ab.tmp`,
    ]);
    for (const name of [...drafts, 'other.tmp']) await writeFile(path.join(directory, name), '{');
    await write(path.join(directory, 'note.json'), { is: 'whole' });
    const kept = drafts.filter((name) => name.includes(printIdentity(living)));
    expect((await readdir(directory)).toSorted()).toEqual(['note.json', 'other.tmp', ...kept].toSorted());
  },
);
