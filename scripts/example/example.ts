/** What one of the five systems brings to the story: its stack, its users, and what can happen to it. */
import type Docker from 'dockerode';
import type { Up } from '../../sample/stack/holdfast.ts';
import type { Cleanup } from '../cleanup.ts';
import type { Client, Comparison } from './client.ts';
import type { Operator } from './operator.ts';
import type { Differences } from './system-file.ts';

export interface Stage {
  readonly docker: Docker;
  /** Everything of this run lies below it, and is removed with it. */
  readonly directory: string;
  /** The examples' directory of the repository. */
  readonly source: string;
  /** Of names that must not meet another run's. */
  readonly suffix: string;
  readonly cleanup: Cleanup;
  /** Of Holdfast on this machine, from when it runs. */
  readonly running: { up?: Up; home?: string; systemFile?: string };
  say(text: string): void;
  /** The name of an image of the small services, or of a real server, made here when it is missing. */
  image(which: 'services' | 'postgres'): Promise<string>;
}

export interface Objective {
  readonly rtoSeconds: number;
  readonly rpoSeconds: number;
}

export interface Disaster {
  /** As `--only` names it. */
  readonly name: string;
  readonly title: string;
  /** Rows of docs/coverage.md that it shows. */
  readonly rows: readonly string[];
  readonly objective: Objective;
  /** What is backed up in between, by plan, before it happens. */
  readonly plans: readonly string[];
  /** Does the harm, and says what; backups that run by themselves while nobody has noticed are made by the operator. */
  break(operator: Operator): Promise<string>;
  /** What shows it; undefined while nothing does. */
  seen(): Promise<string | undefined>;
  /** What the operator does about it, with what the users had acknowledged. */
  bringBack(operator: Operator): Promise<void>;
  /** Throws when what came back is not right in the system's own terms. Default: nothing beyond what every system has. */
  check?(comparison: Comparison): Promise<string>;
  /** True when nothing that was acknowledged may be gone afterwards. */
  readonly losesNothing?: boolean;
}

/** The system at work. */
export interface Scene {
  readonly client: Client;
  readonly differences: Differences;
  /** What the stores' credentials are on this machine. */
  readonly environment: Readonly<Record<string, string>>;
  readonly disasters: readonly Disaster[];
  /** What is set up once the system has its keys, such as database roles. */
  afterInit?(operator: Operator): Promise<void>;
  /** In words: what is different here from a real installation. */
  readonly differs: readonly string[];
}

export interface Example {
  /** Of the system, and of its directory. */
  readonly name: string;
  readonly title: string;
  /** Every plan that is run once at the beginning, in this order. */
  readonly plans: readonly string[];
  /** True where what runs by itself is part of the story, such as a log that is received all the time. */
  readonly everyday?: boolean;
  open(stage: Stage): Promise<Scene>;
}
