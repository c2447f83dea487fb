/** Whatever a command threw, as a person and a program read it. Pure; knows Temporal's errors by name only. */
import { FAILURES, HoldfastError, isFailureCode, type FailureCode } from '../failures.ts';

/** 0: done, yes. 1: the answer is no. 2: it could not be told. */
export type ExitCode = 0 | 1 | 2;

export interface ToldError {
  readonly code: FailureCode | 'Cancelled' | 'Terminated';
  readonly message: string;
  readonly hint: string;
  readonly waitingHelps: boolean;
  /** What lies below, outermost first. */
  readonly causes: readonly string[];
}

/** Failures that answer the question with no; all others mean that it could not be told. */
const NO: ReadonlySet<ToldError['code']> = new Set([
  'ApprovalExpired',
  'Rejected',
  'PlanChanged',
  'SecondPersonNeeded',
  'FreezeOverBudget',
  'SourceCorrupt',
  'SourceEmpty',
  'CheckFailed',
  'BackupMissing',
  'ObjectMissing',
  'ObjectCorrupt',
  'Untrusted',
  'CaptureSuperseded',
  'Unreachable',
  'TargetNotEmpty',
  'UnsafePath',
  'ArchiveBroken',
  'Unhealthy',
  'StoreUnfit',
  'ChannelUnreachable',
  'ChannelRefused',
  'Cancelled',
  'Terminated',
]);

export function exitCodeOf(told: ToldError): ExitCode {
  return NO.has(told.code) ? 1 : 2;
}

function chain(error: unknown): Error[] {
  const found: Error[] = [];
  for (let at = error; at instanceof Error && found.length < 20; at = at.cause) found.push(at);
  return found;
}

export function tell(error: unknown): ToldError {
  const errors = chain(error);
  for (const [index, one] of errors.entries()) {
    const told = tellOne(one);
    if (told !== undefined) return { ...told, causes: errors.slice(index + 1).map((cause) => cause.message) };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { ...ofCatalogue('Internal', message), causes: errors.slice(1).map((cause) => cause.message) };
}

function tellOne(error: Error): Omit<ToldError, 'causes'> | undefined {
  if (error instanceof HoldfastError) {
    return { code: error.code, message: error.message, hint: error.hint, waitingHelps: error.waitingHelps };
  }
  const { type, details } = error as { type?: unknown; details?: unknown };
  if (error.name === 'ApplicationFailure' && typeof type === 'string' && isFailureCode(type)) {
    const told = ofCatalogue(type, error.message);
    const hint = hintIn(details);
    return hint === undefined ? told : { ...told, hint };
  }
  if (error.name === 'CancelledFailure') {
    return { code: 'Cancelled', message: 'the operation was cancelled', hint: 'Start it again.', waitingHelps: false };
  }
  if (error.name === 'TerminatedFailure') {
    const hint = 'What it held is released when its host worker starts again; then start it again.';
    return { code: 'Terminated', message: 'the operation was terminated', hint, waitingHelps: false };
  }
  if (error.name === 'TimeoutFailure') return ofCatalogue('HostSilent', 'a host gave no answer in time');
  if (isUnreachable(error)) return ofCatalogue('EngineUnreachable', 'the engine does not answer');
  return undefined;
}

function ofCatalogue(code: FailureCode, message: string): Omit<ToldError, 'causes'> {
  return { code, message, hint: FAILURES[code].hint, waitingHelps: FAILURES[code].waitingHelps };
}

function hintIn(details: unknown): string | undefined {
  const first: unknown = Array.isArray(details) ? details[0] : undefined;
  if (typeof first !== 'object' || first === null || !('hint' in first)) return undefined;
  return typeof first.hint === 'string' ? first.hint : undefined;
}

/** gRPC: 14 unavailable, 4 deadline exceeded. */
function isUnreachable(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return (code === 14 || code === 4) && 'details' in error;
}
