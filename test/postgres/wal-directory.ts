/** The log of a test server, as its archive_command leaves it in a directory. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { WalSource } from '../../src/part.ts';

export function walDirectory(directory: string): WalSource {
  return {
    async files() {
      const names = (await readdir(directory)).filter((name) => /^[0-9A-F]{24}$|^[0-9A-F]{8}\.history$/.test(name));
      return Promise.all(
        names.sort().map(async (name) => {
          const { size, mtimeMs } = await stat(join(directory, name));
          const timeline = Number.parseInt(name.slice(0, 8), 16);
          return { name, timeline, lengthBytes: size, complete: true, storedAtMs: mtimeMs };
        }),
      );
    },
    async *read(name) {
      for await (const bytes of createReadStream(join(directory, name))) yield bytes as Buffer;
    },
  };
}
