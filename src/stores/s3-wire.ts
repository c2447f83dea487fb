/**
 * The three requests that every object costs, composed of the SDK's own parts: its resolution of the endpoint, its chain of
 * credentials, its signer and its HTTP handler. The layers between them take several times as long as the request itself.
 */
import type { IncomingMessage } from 'node:http';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { HoldfastError } from '../failures.ts';
import type { Target } from './s3-calls.ts';

type Resolved = S3Client['config'];
type Signer = Awaited<ReturnType<Resolved['signer']>>;
type SignedRequest = Awaited<ReturnType<Signer['sign']>>;
type Handled = Parameters<Resolved['requestHandler']['handle']>[0];
type Method = 'GET' | 'HEAD' | 'PUT';

/** What an answer of success says. Its body is left to the caller, who reads it or lets it go. */
export interface Answered {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: IncomingMessage;
}

interface Response extends Answered {
  readonly statusCode: number;
}

/** Where the bucket's requests go, and who signs them. */
interface Place {
  readonly to: Pick<SignedRequest, 'protocol' | 'hostname' | 'port'>;
  /** Of the bucket, ending in a slash. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly signer: Signer;
  readonly signingRegion?: string;
  readonly signingService?: string;
}

interface AuthScheme {
  readonly name: string;
  readonly signingName?: string;
  readonly signingRegion?: string;
}

export class S3Wire {
  readonly #client: S3Client;
  #place: Promise<Place> | undefined;

  constructor(client: S3Client) {
    this.#client = client;
  }

  /**
   * Resolves when the head of an answer of success has come. Throws what the SDK throws for any other answer, and its
   * handler's errors when there is none. Not tried again here. `body` must not change meanwhile; its SHA-256, and whatever
   * else is to be said of it, is among the headers, whose names are in lower case.
   */
  async send(
    method: Method,
    target: Target,
    asked: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array;
      readonly signal: AbortSignal;
    },
  ): Promise<Answered> {
    const place = await this.#placeOf(target.Bucket);
    const { signer, signingRegion, signingService } = place;
    const request = {
      ...place.to,
      method,
      path: place.path + target.Key.split('/').map(encoded).join('/'),
      query: {},
      headers: { ...place.headers, ...asked.headers },
      body: asked.body,
    };
    const { config } = this.#client;
    const signed = await signer.sign(request, {
      // The SDK learns from the answers by how much this machine's clock is wrong.
      signingDate: new Date(Date.now() + config.systemClockOffset),
      ...(signingRegion === undefined ? {} : { signingRegion }),
      ...(signingService === undefined ? {} : { signingService }),
    });
    const handled = await config.requestHandler.handle(signed as Handled, { abortSignal: asked.signal });
    const { response } = handled as { readonly response: Response };
    if (response.statusCode >= 200 && response.statusCode < 300) return response;
    throw await this.#errorOf(method, target, response, asked.signal);
  }

  #placeOf(bucket: string): Promise<Place> {
    this.#place ??= findPlace(this.#client, bucket).catch((cause: unknown) => {
      // Credentials may be found a moment later.
      this.#place = undefined;
      throw cause;
    });
    return this.#place;
  }

  /** In the SDK's own words: it is given the answer as if it had asked. */
  async #errorOf(method: Method, target: Target, response: Response, signal: AbortSignal): Promise<unknown> {
    const answered = () => () => Promise.resolve({ response, output: { $metadata: {} } });
    const [last, options] = [{ step: 'deserialize', priority: 'low' } as const, { abortSignal: signal }];
    try {
      if (method === 'GET') {
        const command = new GetObjectCommand(target);
        command.middlewareStack.add(answered, last);
        await this.#client.send(command, options);
      } else if (method === 'HEAD') {
        const command = new HeadObjectCommand(target);
        command.middlewareStack.add(answered, last);
        await this.#client.send(command, options);
      } else {
        const command = new PutObjectCommand({ ...target, Body: '', ContentLength: 0 });
        command.middlewareStack.add(answered, last);
        await this.#client.send(command, options);
      }
    } catch (cause) {
      return cause;
    }
    return new HoldfastError('Internal', `S3 answered ${response.statusCode}, which nobody takes for an error.`);
  }
}

/** By a request that the SDK prepares and does not send. */
async function findPlace(client: S3Client, bucket: string): Promise<Place> {
  const key = 'k';
  const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
  let request: SignedRequest | undefined;
  let scheme: AuthScheme | undefined;
  command.middlewareStack.add(
    (_, context) => (args) => {
      request = args.request as SignedRequest;
      [scheme] = (context.endpointV2?.properties?.['authSchemes'] ?? []) as AuthScheme[];
      return Promise.resolve({ response: undefined, output: { $metadata: {} } });
    },
    // Before anything that would ask the store.
    { step: 'build', priority: 'high', name: 'prepareOnly' },
  );
  await client.send(command);
  // Directory buckets sign by sessions and list in no order; several regions at once need a signer of their own.
  if (request === undefined || (scheme !== undefined && scheme.name !== 'sigv4')) {
    const kind = scheme?.name ?? 'no signature';
    throw new HoldfastError('StoreUnfit', `The bucket ${bucket} is of a kind (${kind}) that cannot hold a vault.`);
  }
  const { protocol, hostname, port, path } = request;
  return {
    to: { protocol, hostname, ...(port === undefined ? {} : { port }) },
    path: path.slice(0, -key.length),
    headers: { host: port === undefined ? hostname : `${hostname}:${port}`, 'user-agent': 'holdfast' },
    signer: await client.config.signer(scheme as Parameters<Resolved['signer']>[0]),
    ...(scheme?.signingRegion === undefined ? {} : { signingRegion: scheme.signingRegion }),
    ...(scheme?.signingName === undefined ? {} : { signingService: scheme.signingName }),
  };
}

/** A segment of a path as it is signed (RFC 3986, section 2.3: what is not unreserved is encoded). */
function encoded(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
