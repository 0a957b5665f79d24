-- job.lua - work on offload threads, for parts of the library (src/lua/job.h).

local _, _, c = ...
local job_call, job_begin, job_end = c.job_call, c.job_begin, c.job_end

--- Waits, and gives what the job has found out. (A C function that waits cannot
--- do both: see wait.h.)
function c.run_job(job)
  local call = job_call(job)
  return job_end(job, call, job_begin(job))
end
