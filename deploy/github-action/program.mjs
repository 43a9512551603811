// Where the program comes from: a path, a download that is what was said it would be, or PATH.

import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

// A release's program has some ten megabytes.
const MOST_BYTES = 256 * 1024 * 1024;
const LONGEST_DOWNLOAD = 120_000;

/** The program's path; `folder` is where a download goes. */
export async function findProgram({ binary, url, sha256 }, folder) {
  if (binary && url) throw new Error('`binary` and `url` are two answers to one question');
  if (binary) return executable(path.resolve(binary));
  if (url) return download(url, sha256, folder);
  const places = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  const found = places.map((place) => path.join(place, 'larder')).find(isExecutable);
  if (!found) throw new Error('there is no `larder` on PATH; say `binary`, or `url` and `sha256`');
  return found;
}

async function download(url, sha256, folder) {
  if (!/^[0-9a-f]{64}$/i.test(sha256)) throw new Error('`url` wants the `sha256` of what is there, 64 hexadecimal digits');
  const bytes = await fetchWhole(url);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256.toLowerCase()) throw new Error(`what ${url} has is not what was expected: its SHA-256 is ${found}`);
  const target = path.join(folder, 'program');
  mkdirSync(target);
  if (!/\.(tgz|tar(\.\w+)?)$/.test(new URL(url).pathname)) {
    const program = path.join(target, 'larder');
    writeFileSync(program, bytes);
    chmodSync(program, 0o755);
    return program;
  }
  const archive = path.join(folder, 'archive');
  writeFileSync(archive, bytes);
  execFileSync('tar', ['-xf', archive, '-C', target], { stdio: 'pipe' });
  const names = readdirSync(target, { recursive: true }).filter((name) => path.basename(name) === 'larder');
  const program = names.map((name) => path.join(target, name)).find(isExecutable);
  if (!program) throw new Error(`there is no program \`larder\` in what ${url} has`);
  return program;
}

async function fetchWhole(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(LONGEST_DOWNLOAD) });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  const pieces = [];
  let length = 0;
  for await (const piece of answer.body) {
    length += piece.length;
    if (length > MOST_BYTES) throw new Error(`what ${url} has is larger than ${MOST_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function executable(program) {
  if (!isExecutable(program)) throw new Error(`${program} is no program that can be run`);
  return program;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
