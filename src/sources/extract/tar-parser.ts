/** A tar as it comes in pieces of any size: headers are gathered, contents are passed on without a copy. */
import type { ByteString } from '../byte-string.ts';
import type { RawHeader, TarEntry } from './tar-format.ts';
import { BLOCK_BYTES, broken, entryOf, parseBlock, parsePax } from './tar-format.ts';

export interface TarHandler {
  /** An entry begins; its contents follow, `sizeBytes` in all, in any number of pieces. */
  begin(entry: TarEntry): void;
  /** Valid only during the call. */
  data(bytes: Buffer): void;
  /** The entry's contents are complete. */
  finish(): void;
}

/** Extended attributes of one file may be many, but not without end. */
const MAX_META_BYTES = 4 * 1024 * 1024;

const META_FLAGS = 'xgXLK';
/** GNU's volume label: says nothing that is restored. */
const LABEL_FLAG = 'V';

type Phase = 'header' | 'meta' | 'contents' | 'padding' | 'end';

/** Give it all bytes with `push`, then call `end`. Throws ArchiveBroken, and whatever the handler throws. */
export class TarParser {
  private readonly handler: TarHandler;
  private phase: Phase = 'header';
  /** Bytes still missing in this phase. */
  private missing = BLOCK_BYTES;
  private paddingBytes = 0;
  private gathered: Buffer[] = [];
  private metaFlag = '';
  private global = new Map<string, ByteString>();
  private local = new Map<string, ByteString>();
  private zeroBlocks = 0;

  constructor(handler: TarHandler) {
    this.handler = handler;
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.phase === 'end') {
        if (bytes.subarray(at).some((byte) => byte !== 0)) throw broken('there is data behind its end');
        return;
      }
      const taken = Math.min(this.missing, bytes.length - at);
      const part = bytes.subarray(at, at + taken);
      at += taken;
      this.missing -= taken;
      if (this.phase === 'contents') this.handler.data(part);
      // A copy: the piece is the giver's again after this call.
      else if (this.phase !== 'padding') this.gathered.push(this.missing === 0 ? part : Buffer.from(part));
      if (this.missing === 0) this.step();
    }
  }

  /** No more bytes will come. */
  end(): void {
    if (this.phase !== 'end') throw broken('it ends in the middle');
  }

  private step(): void {
    switch (this.phase) {
      case 'header':
        this.header(this.take());
        return;
      case 'meta':
        this.metadata(this.take());
        this.next('padding', this.paddingBytes);
        return;
      case 'contents':
        this.handler.finish();
        this.next('padding', this.paddingBytes);
        return;
      case 'padding':
        this.next('header', BLOCK_BYTES);
        return;
      case 'end':
    }
  }

  private take(): Buffer {
    const bytes = this.gathered.length === 1 ? this.gathered[0] : Buffer.concat(this.gathered);
    this.gathered = [];
    return bytes ?? Buffer.alloc(0);
  }

  private next(phase: Phase, bytes: number): void {
    this.phase = phase;
    this.missing = bytes;
    if (bytes === 0) this.step();
  }

  private header(block: Buffer): void {
    const header = parseBlock(block);
    if (header === undefined) {
      this.zeroBlocks += 1;
      if (this.zeroBlocks === 2) this.phase = 'end';
      else this.next('header', BLOCK_BYTES);
      return;
    }
    if (this.zeroBlocks > 0) throw broken('a single block of zeros stands in the middle');
    this.paddingBytes = (BLOCK_BYTES - (header.sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    if (META_FLAGS.includes(header.flag)) {
      if (header.sizeBytes > MAX_META_BYTES) throw broken(`an extended header has ${header.sizeBytes} bytes`);
      this.metaFlag = header.flag;
      this.next('meta', header.sizeBytes);
    } else if (header.flag === LABEL_FLAG) this.next('header', BLOCK_BYTES);
    else this.entry(header);
  }

  private entry(header: RawHeader): void {
    const records = this.global.size === 0 ? this.local : new Map([...this.global, ...this.local]);
    this.local = new Map();
    const entry = entryOf(header, records);
    this.paddingBytes = (BLOCK_BYTES - (entry.sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    this.handler.begin(entry);
    this.next('contents', entry.sizeBytes);
  }

  private metadata(data: Buffer): void {
    switch (this.metaFlag) {
      case 'g':
        for (const [keyword, value] of parsePax(data)) this.global.set(keyword, value);
        return;
      case 'L':
        this.local.set('path', untilZero(data));
        return;
      case 'K':
        this.local.set('linkpath', untilZero(data));
        return;
      default:
        for (const [keyword, value] of parsePax(data)) this.local.set(keyword, value);
    }
  }
}

function untilZero(data: Buffer): ByteString {
  const end = data.indexOf(0);
  return data.toString('latin1', 0, end === -1 ? data.length : end);
}
