-- Notes that a worker keeps: POST /notes/add with text=..., GET /notes/,
-- GET /notes/live as a stream of events.

local notes = {}

function handle_get_root(req)
  req:set_response(#notes == 0 and "no notes\n"
    or table.concat(notes, "\n") .. "\n")
end

function handle_post_add(req)
  local text = req:post_param("text")
  if not text or text == "" then
    return 400
  end
  notes[#notes + 1] = text
  Lwan.log.info("a note of " .. #text .. " bytes")
  req:set_headers { ["X-Notes"] = tostring(#notes) }
  req:set_response("noted\n")
end

function handle_get_live(req)
  for i = 1, #notes do
    req:send_event("note", notes[i])
    req:sleep(10)
  end
  req:send_event("end", "that is all")
end
