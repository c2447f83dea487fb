/** The page's own files, read once. Their addresses change with their bytes, so that browsers may keep them for ever. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

export interface Asset {
  readonly url: string;
  readonly type: string;
  readonly bytes: Buffer;
}

const FILES = {
  css: { name: 'page.css', type: 'text/css; charset=utf-8' },
  js: { name: 'page.js', type: 'text/javascript; charset=utf-8' },
  icon: { name: 'icon.svg', type: 'image/svg+xml' },
} as const;

export type Assets = Readonly<Record<keyof typeof FILES, Asset>>;

export function readAssets(): Assets {
  return { css: read('css'), js: read('js'), icon: read('icon') };
}

function read(which: keyof typeof FILES): Asset {
  const { name, type } = FILES[which];
  const bytes = readFileSync(path.join(import.meta.dirname, 'static', name));
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  return { url: `/assets/${version}/${name}`, type, bytes };
}
