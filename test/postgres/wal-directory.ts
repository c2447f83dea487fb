/** The log of a test server, as its archive_command leaves it in a directory. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { WalSource } from '../../src/part.ts';

/** `coversUntilMs`: when the newest file was ended, by the server's clock. */
export function walDirectory(directory: string, coversUntilMs: number): WalSource {
  return {
    async files() {
      const all = await readdir(directory);
      const names = all.filter((name) => /^[0-9A-F]{24}$|^[0-9A-F]{8}\.history$/.test(name)).sort();
      return Promise.all(
        names.map(async (name) => {
          const { size, mtimeMs } = await stat(join(directory, name));
          const timeline = Number.parseInt(name.slice(0, 8), 16);
          const covers = name === names.at(-1) ? { coversUntilMs } : {};
          return { name, timeline, lengthBytes: size, complete: true, storedAtMs: mtimeMs, ...covers };
        }),
      );
    },
    async *read(name) {
      for await (const bytes of createReadStream(join(directory, name))) yield bytes as Buffer;
    },
  };
}
