/** The requests of a store in an Azure container that more than one of its parts makes, tried again where that helps. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { BlobClient, BlobDownloadResponseParsed, BlockBlobClient, ContainerClient } from '@azure/storage-blob';
import { StorageResponseFormat } from '@azure/storage-blob';
import { HoldfastError } from '../failures.ts';
import type { AzureConfig } from './azure-client.ts';
import { askedPauseOfAzure, azureFailure, azureFault, isMissingBlob, isTransientAzure } from './azure-errors.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { Calls } from './calls.ts';
import { checkPrefix } from './keys.ts';
import type { Attempt, RetryPolicy } from './retry.ts';

const MAX_OBJECT_BYTES = 256 * 1024 * 1024;
/** Azure gives no more at once. */
const PAGE = 5_000;

/** Requests at once. */
const MOST_REQUESTS = 64;

/** What is known of a blob. */
export interface AzureObject {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly tier: string | undefined;
  /** Set while it is on its way out of the archive. */
  readonly archiveStatus: string | undefined;
  /** Base64, as it was sent and checked when it was written. */
  readonly md5: string | undefined;
  readonly lock: { readonly mode: string | undefined; readonly untilMs: number } | undefined;
}

export interface AzureVersion extends AzureObject {
  readonly versionId: string;
  readonly current: boolean;
}

export class AzureCalls extends Calls<AzureObject> {
  readonly #container: ContainerClient;

  constructor(config: AzureConfig, container: ContainerClient, retries: RetryPolicy) {
    const place = `azure ${config.account}/${config.container}`;
    const { prefix, parallelism = MOST_REQUESTS } = config;
    super(
      { place, prefix, retries, parallelism },
      { worthTrying: isTransientAzure, askedPauseMs: askedPauseOfAzure, failure: azureFailure },
    );
    this.#container = container;
  }

  /** Throws BadInput for what is no key. */
  blob(key: string): BlockBlobClient {
    return this.#container.getBlockBlobClient(this.nameOf(key));
  }

  /** By its properties or, where a write-only host may not read them, by a listing. Undefined when there is none. */
  async describe(key: string, { signal }: Attempt): Promise<AzureObject | undefined> {
    try {
      const found = await this.blob(key).getProperties({ abortSignal: signal });
      if (found.etag === undefined) throw new BrokenAnswerError('an answer without an ETag, which is not from Azure');
      return toObject({
        ...found,
        contentMD5: found.contentMD5,
        immutabilityPolicyMode: found.immutabilityPolicyMode,
        immutabilityPolicyExpiresOn: found.immutabilityPolicyExpiresOn,
      });
    } catch (cause) {
      if (isMissingBlob(cause)) return undefined;
      if (azureFault(cause).status !== 403) throw cause;
    }
    const name = this.nameOf(key);
    const { items } = await this.#page({ prefix: name }, undefined, signal, 1);
    const [first] = items;
    return first?.name === name ? toObject(first.properties) : undefined;
  }

  protected peek({ signal }: Attempt): Promise<unknown> {
    return this.#page({ prefix: this.prefix }, undefined, signal, 1);
  }

  /** In the order of the keys; the versions of one beside each other. */
  async *objects(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal; versions: boolean },
  ): AsyncGenerator<{ key: string; object: AzureVersion }, void, undefined> {
    const { startAfter, signal, versions } = options;
    const whole = this.prefix + checkPrefix(prefix);
    const from = startAfter === undefined ? undefined : this.prefix + startAfter;
    // Where the server knows no beginning, what lies before is passed over here.
    const query = {
      prefix: whole,
      includeVersions: versions,
      ...(from?.startsWith(whole) === true ? { startFrom: from } : {}),
    };
    let token: string | undefined;
    do {
      const page = await this.run(`list ${prefix}`, { signal }, (attempt) =>
        this.#page(query, token, attempt.signal, PAGE),
      );
      for (const { name, properties, versionId, isCurrentVersion } of page.items) {
        const key = name.slice(this.prefix.length);
        if (startAfter !== undefined && key <= startAfter) continue;
        const facts = { versionId: versionId ?? '', current: isCurrentVersion ?? versionId === undefined };
        yield { key, object: { ...toObject(properties), ...facts } };
      }
      token = page.continuationToken;
    } while (token !== undefined && token !== '');
  }

  /** The blob whole, held against the checksum it was written with. */
  async read(blob: BlobClient, attempt: Attempt): Promise<Uint8Array> {
    const answer = await asAnswer(blob.download(0, undefined, { abortSignal: attempt.signal, maxRetryRequests: 0 }));
    const bytes = await readBody(answer, attempt);
    const { contentMD5 } = answer;
    if (contentMD5 !== undefined && Buffer.compare(Buffer.from(contentMD5), md5Of(bytes)) !== 0) {
      throw new BrokenAnswerError('a body that does not have its checksum');
    }
    return bytes;
  }

  async #page(
    query: { prefix: string; includeVersions?: boolean; startFrom?: string },
    token: string | undefined,
    abortSignal: AbortSignal,
    maxPageSize: number,
  ) {
    const responseFormat = StorageResponseFormat.Xml;
    const pages = this.#container
      .listBlobsFlat({ ...query, includeImmutabilityPolicy: false, abortSignal, responseFormat })
      .byPage({ maxPageSize, ...(token === undefined ? {} : { continuationToken: token }) });
    const next = await asAnswer(pages.next());
    const page = next.done === true ? undefined : next.value;
    // Anything in XML or HTML can be read as an empty listing; a real one says of which container it is.
    if (page?.containerName === undefined) throw new BrokenAnswerError('an answer that is no listing');
    return { items: page.segment.blobItems, continuationToken: page.continuationToken };
  }
}

interface Properties {
  readonly contentLength?: number | undefined;
  readonly lastModified?: Date | undefined;
  readonly accessTier?: string | undefined;
  readonly archiveStatus?: string | undefined;
  readonly contentMD5?: Uint8Array | undefined;
  readonly immutabilityPolicyMode?: string | undefined;
  readonly immutabilityPolicyExpiresOn?: Date | undefined;
}

function toObject(found: Properties): AzureObject {
  const until = found.immutabilityPolicyExpiresOn?.getTime();
  return {
    sizeBytes: found.contentLength ?? 0,
    modifiedAtMs: found.lastModified?.getTime() ?? 0,
    tier: found.accessTier,
    archiveStatus: found.archiveStatus,
    md5: found.contentMD5 === undefined ? undefined : Buffer.from(found.contentMD5).toString('base64'),
    lock: until === undefined ? undefined : { mode: found.immutabilityPolicyMode, untilMs: until },
  };
}

async function readBody(answer: BlobDownloadResponseParsed, attempt: Attempt): Promise<Uint8Array> {
  const { contentLength: length } = answer;
  const body = answer.readableStreamBody as Readable | undefined;
  if (body === undefined || length === undefined) throw new BrokenAnswerError('an answer without a body or a length');
  if (length > MAX_OBJECT_BYTES) {
    body.destroy();
    throw new HoldfastError('ObjectCorrupt', `An object of ${length} bytes is none of ours.`);
  }
  const stop = (): void => void body.destroy(new Error('given up'));
  attempt.signal.addEventListener('abort', stop, { once: true });
  try {
    const bytes = Buffer.allocUnsafeSlow(length);
    let got = 0;
    for await (const part of body as AsyncIterable<Buffer>) {
      attempt.progress();
      if (got + part.length > length) throw new BrokenAnswerError(`a body of more than its ${length} bytes`);
      bytes.set(part, got);
      got += part.length;
    }
    if (got < length) throw new BrokenAnswerError(`a body of ${got} instead of ${length} bytes`);
    return bytes;
  } catch (cause) {
    attempt.signal.throwIfAborted();
    if (cause instanceof HoldfastError) throw cause;
    // Its length and checksum make it whole; why it ended early is not told by the client in one way.
    throw cause instanceof BrokenAnswerError ? cause : new BrokenAnswerError('a body cut short', { cause });
  } finally {
    attempt.signal.removeEventListener('abort', stop);
  }
}

/** The client trips over what is no answer of Azure. */
async function asAnswer<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    throw new BrokenAnswerError('an answer that is not from Azure', { cause });
  }
}

export function md5Of(bytes: Uint8Array): Buffer {
  return createHash('md5').update(bytes).digest();
}
