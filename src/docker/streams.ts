/** The engine's long answers: events, and images as archives. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { createInterface } from 'node:readline';

import type Docker from 'dockerode';

import { HoldfastError } from '../failures.ts';
import { bounded } from './call.ts';
import { dockerFailure } from './errors.ts';
import type { DockerEvent, EventFilter } from './types.ts';

/** The stream ends when the engine goes away; an aborted one ends without an error. */
export async function listen(
  docker: Docker,
  filter: EventFilter,
  timeoutMs: number,
): Promise<AsyncIterable<DockerEvent>> {
  const source = await bounded(
    { kind: 'engine', doing: 'listen to events' },
    { timeoutMs, signal: filter.signal },
    () =>
      docker.getEvents({
        since: filter.sinceMs / 1000,
        ...(filter.untilMs === undefined ? {} : { until: filter.untilMs / 1000 }),
        abortSignal: filter.signal,
        filters: { type: [...filter.types], event: [...filter.actions] },
      }),
  );
  const stream = source as unknown as IncomingMessage;
  const stop = (): void => {
    stream.destroy();
  };
  filter.signal.addEventListener('abort', stop, { once: true });
  stream.once('close', () => {
    filter.signal.removeEventListener('abort', stop);
  });
  if (filter.signal.aborted) stop();
  return readEvents(stream);
}

async function* readEvents(stream: Readable): AsyncGenerator<DockerEvent> {
  // readline ends quietly when its input is destroyed; the listener keeps a reset from being an uncaught error.
  stream.on('error', () => undefined);
  const lines = createInterface({ input: stream, crlfDelay: Infinity });
  stream.once('close', () => {
    lines.close();
  });
  for await (const line of lines) {
    const event = parseEvent(line);
    if (event !== undefined) yield event;
  }
}

function parseEvent(line: string): DockerEvent | undefined {
  if (line.trim() === '') return undefined;
  const raw = JSON.parse(line) as {
    Type?: string;
    Action?: string;
    Actor?: { ID?: string; Attributes?: Record<string, string> };
  };
  return {
    type: raw.Type ?? '',
    action: raw.Action ?? '',
    subject: raw.Actor?.ID ?? '',
    attributes: raw.Actor?.Attributes ?? {},
  };
}

/** `docker save` as a stream. An archive that breaks off throws; it never just ends. */
export async function* saveArchive(
  docker: Docker,
  references: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const subject = { kind: 'image', doing: `save images ${references.join(', ')}` } as const;
  // One name or many, the engine answers /images/get with one archive of all.
  const stream = await bounded(subject, { timeoutMs, signal }, () => openArchive(docker, references, signal));
  const stop = (): void => {
    stream.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const bytes of stream) yield bytes as Uint8Array;
  } catch (error) {
    signal.throwIfAborted();
    throw dockerFailure(error, subject);
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}

/** Dialled by hand: the library's own `getImages` is missing from its types. */
function openArchive(docker: Docker, references: readonly string[], signal: AbortSignal): Promise<Readable> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: '/images/get?',
        method: 'GET',
        options: { names: [...references] },
        abortSignal: signal,
        isStream: true,
        statusCodes: { 200: true, 400: 'bad parameter', 404: 'no such image', 500: 'server error' },
      },
      (error: unknown, data: unknown) => {
        if (error instanceof Error) reject(error);
        else resolve(data as Readable);
      },
    );
  });
}

/** `docker load`. Repeating it is harmless: images are named by their content. */
export async function loadArchive(
  docker: Docker,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const subject = { kind: 'image', doing: 'load images' } as const;
  const input = Readable.from(archive, { objectMode: false });
  // An archive may be many gigabytes; what bounds it is the reader behind it and the signal.
  const hours = { timeoutMs: 6 * 3600 * 1000, signal };
  try {
    const answer = await bounded(subject, hours, () => docker.loadImage(input, { quiet: true }));
    const failed = await bounded(subject, hours, () => errorLine(answer as unknown as IncomingMessage));
    if (failed !== undefined) throw new HoldfastError('DockerRefused', `load images: ${failed}`);
  } finally {
    input.destroy();
  }
}

/** The engine reports a failed load inside a 200 answer. */
async function errorLine(answer: Readable): Promise<string | undefined> {
  let found: string | undefined;
  for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
    if (line.trim() === '') continue;
    const message = (JSON.parse(line) as { error?: string }).error;
    if (message !== undefined) found ??= message;
  }
  return found;
}
