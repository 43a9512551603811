// A Larder that outlives the step which starts it: its start, what it says, its end.

import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

// It serves within a tenth of a second, unless the machine does much else, and gives up by itself after ten.
const LONGEST_START = 20_000;
const BETWEEN_LOOKS = 50;
// It is on this machine, and what it is asked is small.
const LONGEST_ANSWER = 3_000;
// Its own `server.shutdown_grace` is 30 s.
const LONGEST_END = 40_000;
const TAIL_LINES = 40;

// It runs beside a command that leaves word of where it was led, and then waits. The runner looks into processes for
// those that a job has left behind, and cannot look into Larder's; it finds this one, and Larder ends with it.
const COMMAND = ['/bin/sh', '-c', 'printf %s "$TURBO_API" >"$0.part" && mv "$0.part" "$0" && exec sleep 2147483647'];

/** Begins one in the background, which is to say in the file `word` where it serves. */
export function begin(program, flags, { environment, log, word }) {
  const output = openSync(log, 'a', 0o600);
  const words = ['exec', '--strict', ...flags, '--', ...COMMAND, word];
  const child = spawn(program, words, { detached: true, env: environment, stdio: ['ignore', output, output] });
  closeSync(output);
  const begun = { pid: child.pid, word };
  child.once('error', (error) => (begun.ended = `it cannot be run: ${error.message}`));
  child.once('exit', (code, signal) => (begun.ended ??= signal ? `it ended by ${signal}` : `it ended with exit code ${code}`));
  child.unref();
  return begun;
}

/** Waits until it takes work, and returns where it serves; one that takes none is ended. */
export async function ready(begun, socket) {
  const last = Date.now() + LONGEST_START;
  while (Date.now() < last) {
    if (begun.ended) throw new Error(begun.ended);
    if (existsSync(begun.word) && (await ask(socket, '/readyz'))?.status === 200) return readFileSync(begun.word, 'utf8');
    await sleep(BETWEEN_LOOKS);
  }
  kill(begun.pid);
  throw new Error(`it took no work within ${LONGEST_START / 1000} s`);
}

/** What its admin listener answers; undefined where nobody does. */
export function ask(socketPath, path) {
  return new Promise((resolve) => {
    const options = { socketPath, path, headers: { Host: 'localhost' }, timeout: LONGEST_ANSWER, agent: false };
    const request = http.get(options, async (answer) => {
      const pieces = [];
      try {
        for await (const piece of answer) pieces.push(piece);
        resolve({ status: answer.statusCode, text: Buffer.concat(pieces).toString() });
      } catch {
        resolve(undefined);
      }
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', () => resolve(undefined));
  });
}

/** Has it finish what runs and end; whether it did. */
export async function stop(pid, socket) {
  process.kill(pid, 'SIGTERM');
  const last = Date.now() + LONGEST_END;
  while (isRunning(pid, socket)) {
    if (Date.now() > last) {
      kill(pid);
      return false;
    }
    await sleep(BETWEEN_LOOKS);
  }
  return true;
}

/** Whether that is still its process, and not one that has its number now: its socket is among its arguments. */
export function isRunning(pid, socket) {
  try {
    // Of one that has ended, and that nobody has taken notice of, this is empty.
    const words = existsSync('/proc/self/cmdline')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      : execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return words.includes(socket);
  } catch {
    return false;
  }
}

/** Ends it and its command at once; both are in a group of their own. */
function kill(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** The last that it wrote. */
export function tail(log) {
  if (!existsSync(log)) return '';
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}
