/** A database out of a backup, written to a file. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ArtifactReader } from '../../part.ts';
import { syncDirectory } from '../durable.ts';
import { failureOf } from '../io-errors.ts';
import type { KindContext } from '../kinds/component.ts';

/**
 * A new file, for its owner only unless `settle` gives it to others when it is written; durable when this resolves. Throws
 * when there is one already.
 */
export async function writeStream(
  database: ArtifactReader,
  path: string,
  context: Pick<KindContext, 'signal' | 'report'>,
  settle?: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  try {
    const handle = await open(path, 'wx', 0o600);
    try {
      let bytesDone = 0;
      for await (const bytes of database.read({ signal: context.signal })) {
        for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
        bytesDone += bytes.length;
        context.report({ phase: 'write', bytesDone, bytesTotal: database.lengthBytes });
      }
      await settle?.(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(dirname(path));
  } catch (error) {
    context.signal.throwIfAborted();
    throw failureOf(error, `write ${path}`);
  }
}
