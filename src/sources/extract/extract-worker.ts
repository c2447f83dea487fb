/** The thread that unpacks: takes pieces of the archive in order and answers each. */
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { HoldfastError } from '../../failures.ts';
import { freeNow } from '../../seal/free.ts';
import { threadHasLoaded } from '../native-threads.ts';
import type { ExtractOrder, FromExtractor, ToExtractor } from './extract.ts';
import { TarParser } from './tar-parser.ts';
import { TreeWriter } from './tree-writer.ts';

threadHasLoaded();

class Unpacker {
  private readonly port: MessagePort;
  private readonly warnings = new Map<string, { count: number; example: string }>();
  private readonly writer: TreeWriter;
  private parser: TarParser;
  private bytesDone = 0;

  constructor(port: MessagePort, order: ExtractOrder) {
    this.port = port;
    const target = typeof order.target === 'string' ? order.target : Buffer.from(order.target);
    this.writer = new TreeWriter(target, order, (kind, example) => this.warn(kind, example));
    this.parser = new TarParser(this.writer);
  }

  take(message: ToExtractor): void {
    if (message.kind === 'bytes') {
      const bytes = Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.byteLength);
      this.parser.push(bytes);
      const { length } = bytes;
      this.bytesDone += length;
      // The parser keeps nothing of what it was given: hundreds of MiB would wait for a collection otherwise.
      freeNow(message.bytes);
      this.say({
        kind: 'taken',
        bytes: length,
        bytesDone: this.bytesDone,
        filesDone: this.writer.report.files,
      });
      return;
    }
    this.parser.end();
    if (this.writer.needsSecondPass()) {
      this.parser = new TarParser(this.writer);
      this.say({ kind: 'again' });
      return;
    }
    this.writer.complete();
    this.writer.close();
    this.say({ kind: 'done', report: { ...this.writer.report, warnings: this.told() } });
  }

  close(): void {
    this.writer.close();
  }

  private say(message: FromExtractor): void {
    this.port.postMessage(message);
  }

  private warn(kind: string, example: string): void {
    const known = this.warnings.get(kind);
    if (known === undefined) this.warnings.set(kind, { count: 1, example });
    else known.count += 1;
  }

  private told(): string[] {
    return [...this.warnings].map(([kind, { count, example }]) => `${kind} (${count} times, such as ${example})`);
  }
}

function start(port: MessagePort): void {
  let unpacker: Unpacker | undefined;
  let failed = false;
  const attempt = (run: () => void): void => {
    if (failed) return;
    try {
      run();
    } catch (error) {
      failed = true;
      unpacker?.close();
      const code = error instanceof HoldfastError ? error.code : 'Internal';
      port.postMessage({ kind: 'error', code, message: error instanceof Error ? error.message : String(error) });
    }
  };
  attempt(() => (unpacker = new Unpacker(port, workerData as ExtractOrder)));
  port.on('message', (message: ToExtractor) => attempt(() => unpacker?.take(message)));
}

if (parentPort !== null) start(parentPort);
