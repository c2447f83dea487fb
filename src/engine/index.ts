/**
 * Temporal seen from outside: what the command line uses of it. Workers take their bundle from bundle.ts by itself,
 * because it loads the worker's native library.
 */
export { connectEngine } from './connect.ts';
export type { Engine } from './connect.ts';
export { ephemeralEngine, isEngineKnown } from './ephemeral.ts';
export { engineTarget, isServerNamed } from './target.ts';
export type { EngineTarget } from './target.ts';
export type { PageOptions } from './page-place.ts';
export { runUp, startUp } from './up.ts';
export type { RunningEngine, UpEvent, UpOptions } from './up.ts';
