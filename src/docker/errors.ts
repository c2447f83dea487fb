/** What the engine and the socket say when something fails, as failures an operator can act on. */
import { type FailureCode, HoldfastError } from '../failures.ts';

/** What the call was about, so that the message can name it. */
export interface CallSubject {
  readonly doing: string;
  readonly kind: 'container' | 'volume' | 'image' | 'network' | 'engine';
}

const NO_ANSWER = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH']);

const MISSING: Record<CallSubject['kind'], FailureCode> = {
  container: 'ContainerMissing',
  volume: 'VolumeMissing',
  image: 'SourceMissing',
  network: 'SourceMissing',
  engine: 'DockerRefused',
};

/** Pure: the failure for what was thrown. HTTP status and engine message are kept in `details`. */
export function dockerFailure(error: unknown, subject: CallSubject): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = stringField(error, 'code');
  const status = numberField(error, 'statusCode');
  const text = engineMessage(error);
  if (status === undefined) return noAnswer(code, text, subject, error);
  const details = { status };
  if (status === 404) {
    const options = { cause: error, details };
    const missingImage = subject.kind === 'container' && /no such image/i.test(text);
    return new HoldfastError(missingImage ? 'SourceMissing' : MISSING[subject.kind], `${subject.doing}: ${text}`, {
      ...options,
      ...(missingImage || subject.kind === 'image' ? { hint: 'Load or build the image named above first.' } : {}),
    });
  }
  if (status === 409 && subject.kind === 'volume') {
    return new HoldfastError('VolumeInUse', `${subject.doing}: ${text}`, { cause: error, details });
  }
  return new HoldfastError('DockerRefused', `${subject.doing}: the engine answered ${status}: ${text}`, {
    cause: error,
    details,
  });
}

function noAnswer(code: string | undefined, text: string, subject: CallSubject, cause: unknown): HoldfastError {
  if (code === 'EACCES' || code === 'EPERM') {
    return new HoldfastError('DockerUnreachable', `${subject.doing}: this user may not use the Docker socket`, {
      cause,
    });
  }
  const known = (code !== undefined && NO_ANSWER.has(code)) || /socket hang up|aborted/i.test(text);
  if (known) {
    return new HoldfastError('DockerUnreachable', `${subject.doing}: no answer from the Docker engine (${text})`, {
      cause,
    });
  }
  return new HoldfastError('DockerRefused', `${subject.doing}: ${text}`, { cause });
}

/** True when the engine said this status, whatever failure it became. */
export function answered(error: unknown, status: number): boolean {
  return error instanceof HoldfastError && error.details['status'] === status;
}

function engineMessage(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'json' in error) {
    const message = stringField(error.json, 'message');
    if (message !== undefined) return message;
  }
  return error instanceof Error ? error.message : String(error);
}

function stringField(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const field: unknown = Reflect.get(value, name);
  return typeof field === 'string' ? field : undefined;
}

function numberField(value: unknown, name: string): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const field: unknown = Reflect.get(value, name);
  return typeof field === 'number' ? field : undefined;
}
