/** The file of what was put and not synced yet: a line with the machine's boot, then entries, appended in batches. */
import { readFileSync } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';

export class PendingFile {
  private readonly path: string;
  private handle: FileHandle | undefined;
  private waiting: Buffer[] = [];
  private writing: Promise<void> | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Resolves when the entry is in the file: an ended process leaves it there. Entries that come together go together. */
  async append(entry: Buffer): Promise<void> {
    this.waiting.push(entry);
    while (this.waiting.includes(entry)) await (this.writing ??= this.write());
    await this.writing;
  }

  /** Everything in it is durable elsewhere. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }

  async close(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
    const handle = this.handle;
    this.handle = undefined;
    await handle?.close();
  }

  private async write(): Promise<void> {
    try {
      const handle = (this.handle ??= await openWithBoot(this.path));
      const batch = this.waiting;
      this.waiting = [];
      await handle.appendFile(Buffer.concat(batch));
    } finally {
      this.writing = undefined;
    }
  }
}

/** What follows the first line, when it was written since the machine started; otherwise it may never have been stored. */
export function believedEntries(bytes: Buffer): Buffer | undefined {
  const newline = bytes.indexOf(10);
  return newline >= 0 && bytes.toString('utf8', 0, newline) === bootId() ? bytes.subarray(newline + 1) : undefined;
}

async function openWithBoot(path: string): Promise<FileHandle> {
  const handle = await open(path, 'a', 0o600);
  if ((await handle.stat()).size === 0) await handle.appendFile(`${bootId()}\n`);
  return handle;
}

/** Changes with every start of the machine. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
