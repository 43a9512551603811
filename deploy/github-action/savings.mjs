// What `/api/v1/stats` tells, as a part of the job's summary.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Markdown of what was asked and saved; `beganEmpty` where nothing was here before the job. */
export function savings(stats, { beganEmpty }) {
  const { reads, bytes, saved } = stats;
  if (reads.asked === 0) {
    return heading('turbo asked for nothing. It found all in its own cache, or lacks TURBO_TOKEN or TURBO_TEAM, or did not run after this action.');
  }
  const hits = reads.memory + reads.disk;
  const rows = [
    ['artifacts asked for', reads.asked],
    ['found here', `${hits} (${Math.round((100 * hits) / reads.asked)} %)`],
    ['not found here', reads.missed],
    ['not fetched from afar', size(bytes.saved)],
    ['time of the tasks that hits stood for', duration(saved.task_seconds)],
  ];
  const table = ['| | |', '|---|--:|', ...rows.map(([what, much]) => `| ${what} | ${much} |`)].join('\n');
  const remark = beganEmpty ? '\n\nNothing was here when the job began. Where `v1` in `data-dir` is kept between jobs, the next one finds it.' : '';
  return heading(`${table}\n\nA hit straight from the remote cache would have saved its task's time too.${remark}`);
}

function heading(text) {
  return `### Larder\n\n${text}\n\n`;
}

function size(bytes) {
  const unit = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${unit === 0 ? bytes : (bytes / 1024 ** unit).toFixed(1)} ${UNITS[unit]}`;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
