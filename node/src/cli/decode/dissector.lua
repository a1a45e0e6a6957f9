local trellis = Proto("trellis", "Trellis")

local function names(forms)
  local values = {}
  for number, form in pairs(forms) do values[number] = form[1] end
  return values
end

local f = {
  message = ProtoField.uint8("trellis.message", "Message", base.DEC, names(MESSAGES)),
  payload = ProtoField.uint8("trellis.payload", "Payload", base.DEC, names(PAYLOADS)),
  datagram = ProtoField.bytes("trellis.datagram", "Datagram"),
  deaf = ProtoField.bool("trellis.datagram.deaf", "Sender hears nothing", 8, nil, 0x01),
  field = ProtoField.string("trellis.field", "Field"),
  length = ProtoField.uint32("trellis.length", "Bytes"),
  class = ProtoField.uint8("trellis.packet.class", "Class", base.DEC, CLASSES, 0x03),
  labels = ProtoField.bytes("trellis.packet.labels", "Labels of the destination"),
  visit = ProtoField.bytes("trellis.packet.visit", "Visited"),
}
local BY_SIZE = { [1] = ProtoField.uint8, [4] = ProtoField.uint32, [8] = ProtoField.uint64 }
for _, field in ipairs(HEADER) do
  local name, bytes, about = field[1], field[3], field[4]
  local abbreviation = "trellis.packet." .. name
  local make = BY_SIZE[bytes]
  if make then
    f[name] = make(abbreviation, about, (bytes == 1) and base.DEC or base.HEX)
  else
    f[name] = ProtoField.bytes(abbreviation, about)
  end
end
for _, flag in ipairs(FLAGS) do
  f[flag[1]] = ProtoField.bool("trellis.packet." .. flag[1], flag[3], 8, nil, flag[2])
end
trellis.fields = f

local malformed = ProtoExpert.new("trellis.malformed", "Does not decode",
  expert.group.MALFORMED, expert.severity.ERROR)
trellis.experts = { malformed }

local DEPTH_MAX = 16
local MORE = { [24] = 1, [25] = 2, [26] = 4, [27] = 8 }
local SIMPLE = { [20] = "false", [21] = "true", [22] = "none" }

-- The head of the CBOR item at `at`: its kind, its number, where what follows begins. Nothing if it
-- is cut short or of a kind that no message has.
local function head(tvb, at, stop)
  if at >= stop then return nil end
  local first = tvb(at, 1):uint()
  local low, behind = first % 32, at + 1
  local kind = (first - low) / 32
  local bytes = MORE[low]
  if low < 24 then return kind, low, behind end
  if bytes == nil or behind + bytes > stop then return nil end
  local number = bytes == 8 and tvb(behind, 8):uint64() or tvb(behind, bytes):uint()
  return kind, number, behind + bytes
end

-- Where the CBOR item at `at` ends, and what to show of it. Nothing if it does not decode.
local function item(tvb, at, stop, depth)
  local kind, number, behind = head(tvb, at, stop)
  if kind == nil or depth > DEPTH_MAX then return nil end
  if kind == 0 then return behind, tostring(number) end
  if kind == 7 and SIMPLE[number] then return behind, SIMPLE[number] end
  -- What follows is shorter than a frame, so its length is no number of eight bytes.
  if type(number) ~= "number" then return nil end
  if kind == 2 or kind == 3 then
    if behind + number > stop then return nil end
    if number == 0 then return behind, "empty" end
    local range = tvb(behind, number)
    local text = kind == 3 and range:string(ENC_UTF_8) or range:bytes():tohex(true)
    return behind + number, text
  end
  if kind ~= 4 then return nil end
  for _ = 1, number do
    behind = item(tvb, behind, stop, depth + 1)
    if behind == nil then return nil end
  end
  return behind, number .. (number == 1 and " element" or " elements")
end

-- The elements of the array at `at` under `tree`, the outermost with the fields' names. Where it
-- ends; nothing if it does not decode.
local function elements(tvb, at, stop, tree, fields, depth)
  local kind, count, behind = head(tvb, at, stop)
  if kind ~= 4 or type(count) ~= "number" then return nil end
  for position = 1, count do
    local from = behind
    local shown
    behind, shown = item(tvb, from, stop, depth)
    if behind == nil then return nil end
    local text = shown
    if fields then text = (fields[position] or "a later field") .. ": " .. shown end
    local branch = tree:add(f.field, tvb(from, behind - from), text)
    branch:set_text(text)
    if head(tvb, from, stop) == 4 then elements(tvb, from, stop, branch, nil, depth + 1) end
  end
  return behind
end

-- A numbered message from `at` to `stop` under `tree`; its name, or nothing if it does not decode.
local function numbered(tvb, at, stop, tree, forms, number_field)
  if stop - at < 2 or tvb(at, 1):uint() ~= 0x82 then return nil end
  local kind, number, behind = head(tvb, at + 1, stop)
  if kind ~= 0 or type(number) ~= "number" then return nil end
  tree:add(number_field, tvb(behind - 1, 1), number)
  local form = forms[number]
  if form == nil then return nil, "unknown number " .. number end
  if elements(tvb, behind, stop, tree, form[2], 1) ~= stop then return nil, form[1] end
  return form[1]
end

-- Where the labels of a packet end; nothing if they do not decode.
local function labels_end(tvb, at, stop)
  if at >= stop then return nil end
  local behind = at + 1
  for _ = 1, tvb(at, 1):uint() do
    if behind >= stop then return nil end
    local first = tvb(behind, 1):uint()
    if first == 0x0f then
      behind = behind + 1
    else
      local depth, costs = first % 16, first >= 16
      behind = behind + 2 + math.ceil(depth / 2) + (costs and math.ceil(depth / 4) or 0)
    end
  end
  return behind <= stop and behind or nil
end

-- What a packet carries, under `tree`; its name, or nothing if it does not decode.
local function carried(tvb, at, stop, tree)
  local branch = tree:add(tvb(at, stop - at), "Payload")
  branch:add(f.length, tvb(at, stop - at), stop - at)
  if tvb(at, 1):uint() == 0x02 and stop - at >= 2 then
    branch:add(f.deaf, tvb(at + 1, 1))
    if stop - at > 2 then branch:add(f.datagram, tvb(at + 2, stop - at - 2)) end
    return "datagram"
  end
  return numbered(tvb, at, stop, branch, PAYLOADS, f.payload)
end

-- A packet under `tree`; what it carries, or nothing if it does not decode.
local function packet(tvb, tree)
  local stop, labels_at = tvb:len(), 0
  for _, field in ipairs(HEADER) do
    local name, at, bytes = field[1], field[2], field[3]
    labels_at = at + bytes
    if labels_at > stop then return nil end
    local branch = tree:add(f[name], tvb(at, bytes))
    if name == "flags" then
      branch:add(f.class, tvb(at, 1))
      for _, flag in ipairs(FLAGS) do branch:add(f[flag[1]], tvb(at, 1)) end
    end
  end
  local payload_at = labels_end(tvb, labels_at, stop)
  if payload_at == nil then return nil end
  tree:add(f.labels, tvb(labels_at, payload_at - labels_at))
  local visits_at = stop - 9 * tvb(5, 1):uint()
  if visits_at < payload_at then return nil end
  local name, why = "nothing", nil
  if visits_at > payload_at then name, why = carried(tvb, payload_at, visits_at, tree) end
  for at = visits_at, stop - 9, 9 do tree:add(f.visit, tvb(at, 9)) end
  return name, why
end

function trellis.dissector(tvb, pinfo, root)
  pinfo.cols.protocol = "Trellis"
  local tree = root:add(trellis, tvb())
  tree:add(f.length, tvb(), tvb:len())
  local name, why
  local is_packet = tvb:len() > 0 and tvb(0, 1):uint() == 0x01
  if is_packet then
    name, why = packet(tvb, tree)
  else
    name, why = numbered(tvb, 0, tvb:len(), tree, MESSAGES, f.message)
  end
  if name == nil then tree:add_proto_expert_info(malformed) end
  local text = name or ("does not decode" .. (why and ": " .. why or ""))
  pinfo.cols.info = is_packet and ("packet: " .. text) or text
  tree:append_text(", " .. text)
  return tvb:len()
end

DissectorTable.get("wtap_encap"):add((wtap_encaps or wtap).USER0, trellis)
